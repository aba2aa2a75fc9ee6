"""`kuavo eval`: its commands, each imported when it is called."""

from __future__ import annotations

import os

from kuavo_cli.lazy import LazyGroup, Member, lazy_app

# Threads of small products that spin while they wait for each other take twice the time and four
# times the processor as soon as another program runs. Read when torch is loaded, so set before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

HELP = """Score policies: offline, simulated, on hardware; compare them.

[bold]Three questions[/bold]

  Does it imitate?  kuavo eval offline --checkpoint DIR --data task2=DATASET

  Does it work?     kuavo eval sim --checkpoint DIR --task all --episodes 100

  Is it better?     kuavo eval compare outputs/eval/A outputs/eval/B

Every evaluation is a new folder: scores.json (the truth), tables in Parquet, report.html.
"""


class Commands(LazyGroup):
    """What `kuavo eval` offers, in the order of use."""

    members = {
        "offline": Member("kuavo_eval.commands.offline", "Score checkpoints on recorded episodes."),
        "sim": Member("kuavo_eval.commands.sim", "Run trials on the simulated robot."),
        "replay": Member("kuavo_eval.commands.replay", "Play a bag into the nodes; score them."),
        "plan": Member("kuavo_eval.commands.plan", "Write a locked plan of trials on hardware."),
        "report": Member("kuavo_eval.commands.report", "Summarize the trials of a plan."),
        "compare": Member("kuavo_eval.commands.compare", "Is A better than B? With statistics."),
        "proxy": Member("kuavo_eval.commands.proxy", "Does the offline score predict success?"),
        "continual": Member(
            "kuavo_eval.commands.continual", "What each training stage kept and forgot."
        ),
    }


app = lazy_app(Commands, HELP)
