"""The `kuavo` command: puts the groups together and turns user errors into sentences."""

from __future__ import annotations

import sys

from kuavo_cli.errors import UserError
from kuavo_cli.lazy import LazyGroup, Member, lazy_app

HELP = """Tools for the Leju Kuavo humanoid: a simulated robot, recordings, training, evaluation.

[bold]First steps[/bold]

  kuavo doctor                      is everything in place?

  kuavo sim demo --task weighing    the robot at work, with a video

  kuavo sim record --task weighing --episodes 5 --out outputs/w5

  kuavo data check outputs/w5       what is in these recordings?

Every command explains itself with --help. Commands that measure something take --json FILE.
Exit codes: 0 fine, 1 the work or the check failed, 2 the command was mistyped.
"""


class Groups(LazyGroup):
    """What `kuavo` offers, in the order of use."""

    members = {
        "doctor": Member(
            "kuavo_cli.doctor.command", "Check the set-up; every problem with its fix."
        ),
        "demo": Member("kuavo_eval.commands.demo", "Watch a trained policy do two tasks."),
        "sim": Member("kuavo_sim.cli", "The simulated Kuavo: demo, expert, record."),
        "data": Member("kuavo_train.data.cli", "Recordings: convert bags, check, view."),
        "train": Member("kuavo_train.cli", "Train every stage; make a base model."),
        "eval": Member(
            "kuavo_eval.cli", "Score policies: offline, simulated, on hardware; compare them."
        ),
    }


app = lazy_app(Groups, HELP)


def main() -> None:
    """Entry point of the `kuavo` command."""
    try:
        app(prog_name="kuavo")
    except UserError as error:
        print(f"kuavo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("kuavo: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
