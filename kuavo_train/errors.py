"""Errors that a person can act on: each message names the thing and what to do."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """Something about the set-up, the data or the run is wrong; the message says what to change."""


class DataError(TrainingError):
    """A dataset cannot be trained on: missing, of another robot, damaged."""


class CheckpointError(TrainingError):
    """A checkpoint folder is missing, incomplete, damaged, or made for something else."""
