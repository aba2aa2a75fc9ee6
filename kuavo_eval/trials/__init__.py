"""Trials: one attempt at one task each, in simulation or on the robot, and what became of it.

One schema, one append-only log (`trials.jsonl`), one summary, one report for all of them.
"""

from kuavo_eval.trials.log import TrialLog, read_trials, scored
from kuavo_eval.trials.schema import Aim, Latency, SafetyEvent, Switch, Trial, TrialError

__all__ = [
    "Aim",
    "Latency",
    "SafetyEvent",
    "Switch",
    "Trial",
    "TrialError",
    "TrialLog",
    "read_trials",
    "scored",
]
