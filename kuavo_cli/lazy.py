"""A command group whose members are imported when they are called.

`kuavo --help` so starts at once, and a group with a missing dependency does not stop the others.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

from kuavo_cli.errors import UserError

COMPLETION = ("install_completion", "show_completion")


@dataclass(frozen=True)
class Member:
    """A sub-command: where its typer app is, and the line that the list shows."""

    module: str
    help: str


def load(name: str, member: Member) -> Any:
    """Import a member and return its click command.

    Raises:
        UserError: its module or one of its dependencies cannot be imported.
    """
    try:
        app = importlib.import_module(member.module).app
    except ImportError as error:
        missing = getattr(error, "name", None) or str(error)
        if member.module == missing or member.module.startswith(f"{missing}."):
            raise UserError(f"'kuavo {name}' is not part of this version ({missing})") from error
        raise UserError(
            f"'kuavo {name}' needs '{missing}', which cannot be imported ({error}): "
            "run 'make setup', then 'kuavo doctor'"
        ) from error
    command = typer.main.get_command(app)
    # Completion is installed once, by `kuavo` itself.
    command.params = [item for item in command.params if item.name not in COMPLETION]
    return command


class LazyGroup(TyperGroup):
    """A group that lists `members` without importing them."""

    members: dict[str, Member] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order they were given."""
        return [*self.members, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in that knows its name and help line; `resolve_command` loads the real one."""
        member = self.members.get(cmd_name)
        if member is None:
            return super().get_command(ctx, cmd_name)
        return TyperGroup(name=cmd_name, help=member.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the member that is about to run; an unknown name gets the list of valid ones."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no command {args[0]!r}: choose from {', '.join(self.list_commands(ctx))}")
        name, command, rest = super().resolve_command(ctx, args)
        if name in self.members:
            path = [*ctx.command_path.split()[1:], name]  # without the program's own name
            command = load(" ".join(path), self.members[name])
            command.name = name
        return name, command, rest


def lazy_app(group: type[LazyGroup], text: str) -> typer.Typer:
    """A command that is nothing but its group's members, with `text` as its help."""
    app = typer.Typer(
        cls=group,
        help=text,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_nothing)
    return app


def _nothing() -> None:
    """What such a command does before its member."""
