"""Scores of replayed bags as a document and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_deploy.robot.layout import ACTION_NAMES, STATE_DIM, STATE_NAMES
from kuavo_eval.provenance import provenance
from kuavo_eval.replay.score import ReplayScore
from kuavo_eval.report import Page
from kuavo_eval.report.figures import COLOURS, line_figure
from kuavo_eval.report.text import shown
from kuavo_eval.statistics import Quantity, bootstrap_ratio

SHOWN = 4
"""Joints that are plotted: those that moved most."""
NEVER = "the base never moves in the recordings"
STEPS = 400
"""Frames of a plot, at most."""


def replay_document(scores: Sequence[ReplayScore], about: Mapping[str, Any]) -> dict[str, Any]:
    """For `scores.json`. Void bags count nowhere."""
    counted = [one for one in scores if not one.void]
    arms = _mean([one.arm_error(one.shadow) for one in counted], "rad")
    still = _mean([one.arm_error(one.holding) for one in counted], "rad")
    return {
        **about,
        "answer": _answer(arms, still, len(scores) - len(counted)),
        "bags": [_of_bag(one) for one in scores],
        "void": sum(1 for one in scores if one.void),
        "arms_error": arms,
        "holding_error": still,
        "skill": _skill(counted),
        "normalized_error": _mean([one.normalized_error() for one in counted], "fraction"),
        "joints": [
            {
                "name": name,
                "error": _mean(
                    [one.joint_errors(one.shadow)[:, i] for one in counted],
                    "" if name.endswith("hand") else "rad",
                ),
            }
            for i, name in enumerate(STATE_NAMES)
        ],
        "hands": _hands(counted),
        "base": _base(counted),
        "latency": _latency(counted),
        "holds": sum(len(one.holds) for one in counted),
    }


def _answer(arms: Mapping[str, Any], still: Mapping[str, Any], voids: int) -> str:
    """The outcome in a sentence."""
    void = f" {voids} bag{'s are' if voids > 1 else ' is'} void." if voids else ""
    if arms["value"] is None:
        return f"Nothing could be scored.{void}"
    ours, theirs = (shown({"value": of["value"], "unit": "rad"}) for of in (arms, still))
    return (
        f"The arms would have been commanded {ours} away from the recorded commands on average; "
        f"a policy that holds still, {theirs}.{void}"
    )


def about_replay(
    task: str, rate: float, command: Sequence[str], checkpoint: Path | None
) -> dict[str, Any]:
    """What was replayed, as what, by whom.

    Args:
        task: its name.
        rate: recorded seconds per second.
        command: as typed.
        checkpoint: folder; None: plans came from somewhere else.
    """
    checkpoints = {} if checkpoint is None else {"checkpoint": checkpoint}
    return {"task": task, "rate": rate, "provenance": provenance(command, None, checkpoints)}


def _of_bag(one: ReplayScore) -> dict[str, Any]:
    return {
        "bag": one.name,
        "void": one.void,
        "covered": {"value": None if one.void else one.covered, "unit": "fraction"},
        "arms_error": _mean([one.arm_error(one.shadow)], "rad"),
        "holds": [{"time": {"value": time, "unit": "s"}, "reason": why} for time, why in one.holds],
        "curves": _curves(one),
    }


def _curves(one: ReplayScore) -> list[dict[str, Any]]:
    if one.void:
        return []
    moved = np.argsort(-np.ptp(one.recorded[:, :STATE_DIM], axis=0))[:SHOWN]
    drawn = [*sorted(moved), *range(STATE_DIM, one.recorded.shape[1])]
    stride = max(1, len(one.times) // STEPS)
    return [
        {
            "joint": ACTION_NAMES[i],
            "unit": _unit(ACTION_NAMES[i]),
            "time": np.round(one.times[::stride], 2),
            "recorded": np.round(one.recorded[::stride, i], 4),
            "shadow": np.round(one.shadow[::stride, i], 4),
        }
        for i in drawn
    ]


def _unit(name: str) -> str:
    """For an axis."""
    if name.endswith("hand"):
        return "0 open, 1 closed"
    return {"base_x": "m", "base_y": "m", "move": "above 0.5: it moves"}.get(name, "rad")


def _mean(
    errors: Sequence[np.ndarray], unit: str, none: str = "every bag is void"
) -> dict[str, Any]:
    """Over frames, with the bootstrap over bags; where there are none, the reason."""
    if not errors:
        return Quantity(None, unit, n=0, of="bags", why=none).as_dict()
    scored = bootstrap_ratio([e.sum() for e in errors], [len(e) for e in errors])
    return scored.quantity(unit).as_dict()


def _skill(counted: Sequence[ReplayScore]) -> dict[str, Any]:
    """1 − error / error of holding still."""
    if not counted:
        return Quantity(None, "", n=0, of="bags", why="every bag is void").as_dict()
    ours = [float(one.arm_error(one.shadow).sum()) for one in counted]
    still = [float(one.arm_error(one.holding).sum()) for one in counted]
    if sum(still) == 0:
        return Quantity(None, "", n=len(counted), of="bags", why="nothing moved").as_dict()
    ratio = bootstrap_ratio(ours, still).quantity("")
    assert ratio.value is not None
    low = None if ratio.high is None else 1 - ratio.high
    high = None if ratio.low is None else 1 - ratio.low
    return Quantity(1 - ratio.value, "", low, high, ratio.n, ratio.of, ratio.why).as_dict()


def _hands(counted: Sequence[ReplayScore]) -> dict[str, Any]:
    from kuavo_eval.metrics.hand_timing import HandTiming

    total = sum((one.hands for one in counted), HandTiming())
    return {
        "recorded": total.recorded,
        "predicted": total.predicted,
        "matched": total.matched,
        "f1": _of_events(total.f1, "fraction", total.recorded, "no hand opens or closes"),
        "lag": _of_events(total.lag, "s", total.matched, "no event was matched"),
    }


def _base(counted: Sequence[ReplayScore]) -> dict[str, Any] | None:
    """None where the task stands."""
    scores = [one.base for one in counted if one.base is not None]
    if not scores:
        return None
    walked = [score for score in scores if len(score.distance)]
    return {
        "distance": _mean([score.distance for score in walked], "m", NEVER),
        "heading": _mean([score.heading for score in walked], "rad", NEVER),
        "agrees": _mean([score.agrees for score in scores], "fraction"),
    }


def _latency(counted: Sequence[ReplayScore]) -> dict[str, Any]:
    latencies = [seconds for one in counted for seconds in one.latencies]
    if not latencies:
        return Quantity(None, "s", n=0, of="plans", why="no plan came").as_dict()
    return Quantity(float(np.median(latencies)), "s", n=len(latencies), of="plans").as_dict()


def _of_events(value: float, unit: str, n: int, none: str) -> dict[str, Any]:
    if np.isfinite(value):
        return Quantity(value, unit, n=n, of="events").as_dict()
    return Quantity(None, unit, n=n, of="events", why=none).as_dict()


def replay_lines(document: Mapping[str, Any]) -> str:
    """The scores for a terminal, and what is void."""
    lines = [
        f"arms {shown(document['arms_error'])}, holding still {shown(document['holding_error'])}, "
        f"skill {shown(document['skill'])}",
        f"hand events F1 {shown(document['hands']['f1'])}, latency {shown(document['latency'])}",
    ]
    base = document["base"]
    if base is not None:
        lines.append(
            f"base {shown(base['distance'])} and {shown(base['heading'])} off while it walks, "
            f"walks and stands as recorded at {shown(base['agrees'])}"
        )
    lines += [f"void: {bag['bag']}: {bag['void']}" for bag in document["bags"] if bag["void"]]
    return "\n".join(lines)


def replay_report(document: Mapping[str, Any]) -> str:
    """The page, as HTML."""
    page = Page(
        document,
        "Replay",
        "What would the robot's nodes have commanded, had they seen what was recorded? The bag's "
        "sensor topics went into the live nodes, their shadow commands came out.",
    )
    page.verdict("answer")
    page.section("Shadow commands against recorded ones")
    page.facts(
        {
            "task": page.text("task"),
            "arms, mean error": page.number("arms_error"),
            "the same for holding still": page.number("holding_error"),
            "skill": page.number("skill"),
            "normalized error": page.number("normalized_error"),
            "hand events found (F1)": page.number("hands.f1"),
            "their lag (positive: late)": page.number("hands.lag"),
            **_base_facts(page, document),
            "latency of a plan (median)": page.number("latency"),
            "holds": page.number("holds"),
            "speed of the replay": page.number("rate"),
        }
    )
    page.table(
        ["bag", "under command", "arms, mean error", "void"],
        [
            [
                page.text(f"bags.{i}.bag"), page.number(f"bags.{i}.covered"),
                page.number(f"bags.{i}.arms_error"), page.text(f"bags.{i}.void"),
            ]
            for i in range(len(document["bags"]))
        ],
        "under command: the part of the recording in which a plan was executed.",
    )  # fmt: skip
    for bag in document["bags"]:
        _plots(page, bag)
    page.section("Each joint")
    page.table(
        ["joint", "mean error"],
        [
            [page.text(f"joints.{i}.name"), page.number(f"joints.{i}.error")]
            for i in range(len(document["joints"]))
        ],
        "Hands: 0 open to 1 closed.",
    )
    _holds(page, document)
    return page.html()


def _base_facts(page: Page, document: Mapping[str, Any]) -> dict[str, Any]:
    if document["base"] is None:
        return {}
    return {
        "base, mean distance of its target while it walks": page.number("base.distance"),
        "its heading": page.number("base.heading"),
        "it walks and stands as recorded": page.number("base.agrees"),
    }


def _plots(page: Page, bag: Mapping[str, Any]) -> None:
    if not bag["curves"]:
        return
    walks = any(curve["joint"] == "move" for curve in bag["curves"])
    what = "The joints that moved most" + (", and the base." if walks else ".")
    page.section(f"Recording {bag['bag']}", what)
    for curve in bag["curves"]:
        figure = line_figure("time [s]", f"{curve['joint']} [{curve['unit']}]", height=240)
        for name, colour in (("recorded", COLOURS[7]), ("shadow", COLOURS[1])):
            figure.add_scatter(
                x=curve["time"], y=curve[name], name=name, line={"color": colour}, mode="lines"
            )
        page.figure(figure, f"{curve['joint']}: recorded command and shadow command.")


def _holds(page: Page, document: Mapping[str, Any]) -> None:
    rows = [
        [
            page.text(f"bags.{i}.bag"), page.number(f"bags.{i}.holds.{j}.time"),
            page.text(f"bags.{i}.holds.{j}.reason"),
        ]
        for i, bag in enumerate(document["bags"])
        for j in range(len(bag["holds"]))
    ]  # fmt: skip
    if rows:
        page.section("Holds", "When the executor would have stopped, and why.")
        page.table(["bag", "at", "reason"], rows)
