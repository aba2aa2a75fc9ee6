"""The flow rack, the placement rack and the material box of the sorting cell.

Every builder adds its furniture to a body whose origin is on the floor, x pointing into the rack
(away from who stands in front of it), y to that person's left.
"""

from __future__ import annotations

import math

import mujoco

from kuavo_sim.scenes.parts import VISUAL, G, box

LANE_WIDTH = 0.34
LANE_HEIGHT = 0.745
"""Of the middle of the pick zone [m]."""
LANE_SLOPE = math.radians(6)
PICK_ZONE = (-0.14, 0.14)
"""The rubber mat at the lanes' lower end where parts come to rest, along the slope [m]."""
_DECK_END = 0.92
_GUIDE = 0.012

SHELF_HEIGHT = 0.735
"""Top of the placement rack's working shelf [m]."""
CELL = 0.155
"""Side of a compartment of the material box, inside [m]."""
_DIVIDER = 0.005
_WALL_HEIGHT = 0.055
FLOOR_THICKNESS = 0.006


def lane_point(along: float, aside: float, above: float = 0.0) -> list[float]:
    """A point on the working lane in the flow rack's frame [m].

    along: up the slope from the pick zone's middle; aside: to the left of the lane's middle;
    above: perpendicular to the lane.
    """
    c, s = math.cos(LANE_SLOPE), math.sin(LANE_SLOPE)
    return [along * c - above * s, aside, LANE_HEIGHT + along * s + above * c]


def lane_quat(yaw: float = 0.0) -> list[float]:
    """Orientation of a part that stands on the lane, turned by `yaw` [rad] about its normal."""
    p, y = -LANE_SLOPE / 2, yaw / 2
    return [
        math.cos(p) * math.cos(y),
        math.sin(p) * math.sin(y),
        math.sin(p) * math.cos(y),
        math.cos(p) * math.sin(y),
    ]


def flow_rack(body: mujoco.MjsBody) -> None:
    """Three gravity lanes of rollers; parts come to rest on the mat at the lower end."""
    half_width = 1.5 * LANE_WIDTH + _GUIDE
    deck = body.add_body(pos=lane_point(0, 0), quat=lane_quat())
    _deck(deck, half_width)
    _frame(body, half_width)
    upper = body.add_body(pos=[0.62, 0, 1.22], quat=lane_quat())
    box(upper, [0, 0, 0], [0.3, half_width, 0.012], "steel", **VISUAL)
    box(upper, [-0.3, 0, 0.02], [0.008, half_width, 0.035], "plastic_blue", **VISUAL)
    for y in (-0.34, 0.0, 0.34):
        box(upper, [-0.12, y, 0.085], [0.15, 0.12, 0.07], "plastic_grey", **VISUAL)


def _deck(deck: mujoco.MjsBody, half_width: float) -> None:
    front, back = PICK_ZONE[0], _DECK_END
    middle, half = (front + back) / 2, (back - front) / 2
    grip = {"friction": [0.9, 0.01, 0.001]}
    box(deck, [middle, 0, -0.02], [half, half_width, 0.02], "dark_steel", **grip)
    mat_half = (PICK_ZONE[1] - front) / 2
    box(deck, [front + mat_half, 0, 0.0005], [mat_half, half_width, 0.001], "rubber", **VISUAL)
    x = PICK_ZONE[1] + 0.03
    while x < back - 0.02:
        deck.add_geom(
            type=G.mjGEOM_CYLINDER, fromto=[x, -half_width, -0.012, x, half_width, -0.012],
            size=[0.018, 0, 0], material="steel", **VISUAL,
        )  # fmt: skip
        x += 0.055
    for lane in (-1.5, -0.5, 0.5, 1.5):
        at = [middle, lane * LANE_WIDTH, 0.008]
        box(deck, at, [half, _GUIDE / 2, 0.01], "safety")
    box(deck, [front - 0.006, 0, -0.01], [0.006, half_width, 0.03], "safety")


def _frame(body: mujoco.MjsBody, half_width: float) -> None:
    posts = ((PICK_ZONE[0], LANE_HEIGHT - 0.06), (0.42, 1.42), (_DECK_END - 0.03, 1.42))
    for y in (-half_width, half_width):
        for x, height in posts:
            box(body, [x, y, height / 2], [0.02, 0.02, height / 2], "steel", **VISUAL)
        for z in (0.14, 1.40):
            start = PICK_ZONE[0] if z < 1 else 0.42
            length = (_DECK_END - 0.03 - start) / 2
            box(body, [start + length, y, z], [length, 0.014, 0.014], "steel", **VISUAL)
    for x, z in ((PICK_ZONE[0], 0.66), (_DECK_END - 0.03, 0.14), (_DECK_END - 0.03, 1.40)):
        box(body, [x, 0, z], [0.014, half_width, 0.014], "steel", **VISUAL)


def placement_rack(body: mujoco.MjsBody) -> None:
    """A boltless rack; its working shelf carries the material box. The origin is below the box."""
    depth, half_width = (-0.24, 0.30), 0.52
    middle, half = sum(depth) / 2, (depth[1] - depth[0]) / 2
    shelf = [half, half_width, 0.012]
    box(body, [middle, 0, SHELF_HEIGHT - 0.012], shelf, "plastic_grey", friction=[0.8, 0.01, 0.001])
    box(body, [depth[0] - 0.006, 0, SHELF_HEIGHT - 0.03], [0.006, half_width, 0.03], "plastic_blue")
    for z in (0.22, 1.30):
        back_half = half if z < 1 else 0.11
        at = [depth[1] - back_half, 0, z]
        box(body, at, [back_half, half_width, 0.012], "plastic_grey", **VISUAL)
    for y in (-half_width, half_width):
        for x, height in ((depth[0], SHELF_HEIGHT - 0.02), (depth[1], 1.6)):
            box(body, [x, y, height / 2], [0.02, 0.02, height / 2], "plastic_blue", **VISUAL)
    stored = ((-0.3, 0.10, "wood"), (0.05, 0.08, "plastic_blue"), (0.33, 0.09, "wood"))
    for y, size, material in stored:
        box(body, [0.20, y, 1.312 + size], [0.09, size * 1.3, size], material, **VISUAL)
    for y in (-0.25, 0.2):
        box(body, [0.05, y, 0.332], [0.16, 0.18, 0.1], "dark_steel", **VISUAL)


def cell_centre(cell: int) -> list[float]:
    """Middle of a compartment's floor in the box's frame [m]; 0, 1 near (left, right), 2, 3 far."""
    step = (CELL + _DIVIDER) / 2
    return [step if cell >= 2 else -step, step if cell % 2 == 0 else -step, FLOOR_THICKNESS]


def material_box(body: mujoco.MjsBody, marked: int, material: str) -> None:
    """An open box with four compartments; a yellow mat with a white frame marks one of them.

    The body's origin is under the middle of the box.
    """
    outer = CELL + 1.5 * _DIVIDER
    walls = {"friction": [0.5, 0.01, 0.001]}
    box(body, [0, 0, FLOOR_THICKNESS / 2], [outer, outer, FLOOR_THICKNESS / 2], material)
    z, half = _WALL_HEIGHT / 2, _WALL_HEIGHT / 2
    for sign in (-1, 1):
        edge = sign * (outer - _DIVIDER / 2)
        box(body, [edge, 0, z], [_DIVIDER / 2, outer, half], material, **walls)
        box(body, [0, edge, z], [outer, _DIVIDER / 2, half], material, **walls)
    low = half * 0.75
    box(body, [0, 0, low], [_DIVIDER / 2, outer, low], material, **walls)
    box(body, [0, 0, low], [outer, _DIVIDER / 2, low], material, **walls)
    x, y, z = cell_centre(marked)
    for half_side, thickness, colour in ((0.072, 0.0006, "white"), (0.062, 0.0010, "yellow")):
        box(body, [x, y, z + thickness / 2], [half_side, half_side, thickness], colour, **VISUAL)
