"""What things and motions are called: many phrasings, none of them a task's instruction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

NAMES: dict[str, tuple[str, ...]] = {
    "left_hand": ("left hand", "left claw", "hand on the left"),
    "right_hand": ("right hand", "right claw", "hand on the right"),
    "parcel": (
        "parcel", "package", "moving object", "object", "courier parcel",
        "object from the conveyor belt", "package on the belt",
    ),
    "area": ("marked area", "designated area", "blue area", "blue square on the table"),
    "scale": ("scale", "electronic scale", "platform of the scale"),
    "display": ("display", "display of the scale", "number display"),
    "bin": ("bin", "storage bin", "storage container", "designated storage container"),
    "tray": ("red tray", "reject tray", "red tray at the end of the belt"),
    "tunnel": ("tunnel", "scanner tunnel", "scanner"),
    "mat": ("yellow area", "yellow mat", "mat with the arrow"),
    "bottle": (),
    "workpiece": ("workpiece", "machined block", "block with the holes"),
    "marked_cell": (
        "marked compartment", "yellow compartment", "designated position in the box",
        "designated position",
    ),
    "material_box": ("material box", "material container", "box with compartments"),
    "flow_rack": ("flow rack", "middle lane of the rack", "picking rack"),
    "placement_rack": ("placement rack", "shelf", "rack with the shelf"),
}  # fmt: skip
"""Of each kind of thing, without its article."""
DETAILED: dict[tuple[str, str], tuple[str, ...]] = {
    ("parcel", "box"): ("cardboard box",),
    ("parcel", "bag"): ("courier bag",),
    ("bottle", "front"): ("front bottle", "nearest bottle", "bottle", "bottle of the front"),
}
"""More names of things with a detail."""
COLOURED = {"bottle": "{} bottle", "workpiece": "{} workpiece"}
"""Kinds whose other details are colours."""
NOT_COLOURS = frozenset({"front", "flip", "screw", "pump", "box", "bag"})

POINT = ("the {thing}", "find the {thing}", "where is the {thing}?", "look at the {thing}",
         "point at the {thing}", "{thing}")  # fmt: skip
MOTIONS: dict[str, tuple[str, ...]] = {
    "above": (
        "move the {side} hand above the {thing}", "hold the {side} hand over the {thing}",
        "{side} hand to above the {thing}", "go near the {thing} with the {side} hand",
    ),
    "at": (
        "reach for the {thing} with the {side} hand", "bring the {side} hand to the {thing}",
        "move the {side} hand to the {thing}", "{side} hand to the {thing}",
    ),
    "open": ("open the {side} hand", "let go with the {side} hand", "release the {side} hand"),
    "close": ("close the {side} hand", "grip with the {side} hand", "shut the {side} hand"),
    "hold": ("hold still", "wait", "stay where you are", "do nothing"),
    "walk": ("walk to the {thing}", "go to the {thing}", "move to the {thing}"),
}  # fmt: skip
"""By kind of motion."""
STORIES: dict[int, tuple[str, ...]] = {
    2: (
        "take the {0} to the {1}", "pick up the {0} and bring it to the {1}",
        "put the {0} on the {1}", "first the {0}, then the {1}",
        "lift the {0} with one hand, set it down at the {1}",
        "get the {0} from the belt, turn it, leave it on the {1}",
        "choose a {0} among the others and lay it in the {1}",
    ),
    3: (
        "first the {0}, then the {1}, then the {2}",
        "take the {0} to the {1}, lift it once more and leave it at the {2}",
        "bring the {0} over the {1} to the {2}",
    ),
}
"""Phrases that name several things, by how many; what they are about is not always the last."""
MENTIONS = max(STORIES)
SIDES = {"l": "left", "r": "right", "": ""}


def names(kind: str, details: Sequence[str]) -> list[str]:
    """Every name of a thing.

    Raises:
        KeyError: a kind that has none.
    """
    found = list(NAMES[kind])
    for detail in details:
        found += DETAILED.get((kind, detail), ())
        if kind in COLOURED and detail not in NOT_COLOURS:
            found.append(COLOURED[kind].format(detail))
    return found


def point_phrase(kind: str, details: Sequence[str], rng: np.random.Generator) -> str:
    """A request to look at a thing."""
    return _one(POINT, rng).format(thing=_one(names(kind, details), rng))


def story_phrase(
    things: Sequence[tuple[str, Sequence[str]]], rng: np.random.Generator
) -> str:
    """A phrase that names two things or three, in this order: their kinds and details."""
    template = _one(STORIES[len(things)], rng)
    return template.format(*(_one(names(*thing), rng) for thing in things))


def motion_phrase(
    motion: str, side: str, thing: tuple[str, Sequence[str]] | None, rng: np.random.Generator
) -> str:
    """A request for a motion. thing: its kind and details, or None."""
    name = _one(names(*thing), rng) if thing else ""
    return _one(MOTIONS[motion], rng).format(side=SIDES[side], thing=name)


def all_phrases(details: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every phrase there can be, to train a tokenizer on. details: by kind of thing."""
    for kind in NAMES:
        for name in names(kind, details.get(kind, ())):
            for template in POINT:
                yield template.format(thing=name)
            for count, templates in STORIES.items():
                for template in templates:
                    yield template.format(*[name] * count)
            for templates in MOTIONS.values():
                for template in templates:
                    for side in ("left", "right"):
                        yield template.format(thing=name, side=side)


def _one(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
