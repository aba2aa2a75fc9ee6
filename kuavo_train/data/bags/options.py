"""How bags are read: what a user may choose, with the defaults that fit a Kuavo's recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import Claw, EndEffector, get_end_effector

AUTO = "auto"
ARM_COMMAND_TOPICS = (topics.ARM_TRAJ_SYNCED, topics.JOINT_CMD, topics.ARM_TRAJ)
"""Where the arms' action may come from, best first."""
MOVE_CARRIED = "carried"
MOVE_DERIVED = "derived"
STAMPS_HEADER = "header"
STAMPS_RECEIVED = "received"
CHOICES: dict[str, tuple[str, ...]] = {
    "arm_command": (AUTO, *ARM_COMMAND_TOPICS),
    "move": (AUTO, MOVE_CARRIED, MOVE_DERIVED),
    "stamps": (AUTO, STAMPS_HEADER, STAMPS_RECEIVED),
}


@dataclass(frozen=True)
class Options:
    """Options of a conversion.

    end_effector: `auto` (by the topics in the bag) or its name.
    claw_closed_at: what the claw's topics call closed, 100 or 0.
    arm_command: topic of the arms' action; `auto` takes the first of `ARM_COMMAND_TOPICS`.
    move: where walking tasks' move flag comes from (see `base`).
    stamps: `header`, `received` (the recorder's clock), or `auto`: a topic's headers unless they
        are zero or far from the recorder's clock.
    depth: store the depth cameras too.
    image_size: height and width [px] that images are reduced to; None keeps the recorded size.
    max_offset: how far a topic's message may lie from the moment it stands for [s].
    max_offset_of: the same for single topics.
    lead: a frame's action is the command so much later [s].
    hold_hand_commands: hand commands are sent only when they change; the last one holds.
    strict: refuse what would have been repaired.
    """

    end_effector: str = AUTO
    claw_closed_at: float = 100.0
    arm_command: str = AUTO
    move: str = AUTO
    stamps: str = AUTO
    depth: bool = False
    image_size: tuple[int, int] | None = None
    max_offset: float = 0.04
    max_offset_of: Mapping[str, float] = field(default_factory=dict)
    lead: float = 0.1
    hold_hand_commands: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: names the option and its valid values.
        """
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}: choose from {', '.join(choices)}"
                )
        if self.end_effector != AUTO:
            get_end_effector(self.end_effector)
        Claw(self.claw_closed_at)
        for topic, offset in {"": self.max_offset, **self.max_offset_of}.items():
            if not 0 < offset <= 1:
                raise ValueError(f"a maximum offset {topic} is in (0, 1] s, not {offset}")
        if not 0 <= self.lead <= 1:
            raise ValueError(f"the lead is in [0, 1] s, not {self.lead}")
        if self.image_size is not None and min(self.image_size) < 16:
            raise ValueError(f"images of {self.image_size} px are too small")

    def offset_of(self, topic: str) -> float:
        """The maximum offset of `topic` [s]."""
        return self.max_offset_of.get(topic, self.max_offset)

    def effector(self, name: str) -> EndEffector:
        """The end effector `name`, with this conversion's convention."""
        effector = get_end_effector(name)
        return Claw(self.claw_closed_at) if isinstance(effector, Claw) else effector
