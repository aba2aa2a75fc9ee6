"""The report of a sequential training."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from kuavo_eval.report import COLOURS, Page, line_figure, value_at
from kuavo_eval.validity.page import table_of_figures

NAMES = {
    "loss": ("validation loss", "Validation loss"),
    "error": ("normalized error", "Offline error"),
    "success": ("success", "Success in simulation"),
}
FEW = 5
"""With fewer episodes of a task an interval says little."""
_FIGURES = (
    ("acc", "ACC", "average over all tasks after the last stage"),
    ("bwt", "BWT", "change of earlier tasks since they were learned; negative: forgotten"),
    ("fwt", "FWT", "gain of later tasks before their own stage, over the base model"),
    ("forgetting", "Forgetting", "best earlier score minus the last one; 0 or less: none"),
    ("nbt", "NBT", "what a task lost on average in all later stages"),
    ("nbt_relative", "NBT, relative", "the same as part of what was reached"),
)


def render(document: dict[str, Any]) -> str:
    """The page of a continual evaluation's document."""
    page = Page(
        document,
        "What each stage kept and forgot",
        "One policy learned {trained_tasks} one after the other. After each stage all tasks were "
        "scored: did it learn the new one, and does it still know the others?",
    )
    page.verdict("verdict.text", document["verdict"]["level"], _detail(document))
    for name in document["matrices"]:
        _matrix(page, document, name)
    _figures(page, document)
    _gate(page, document)
    _proxy(page, document)
    _about(page, document)
    return page.html()


def _detail(document: dict[str, Any]) -> str:
    if document["allow_seen"]:
        return (
            "Caution: scored on all episodes given, those that were trained on included "
            "(--allow-seen). These numbers are too good."
        )
    fewest = min(document["episodes"].values())
    rough = "" if fewest >= FEW else " They are few: take the intervals as rough."
    return f"Scored on episodes that none of the checkpoints was trained on.{rough}"


def _matrix(page: Page, document: dict[str, Any], name: str) -> None:
    matrix = document["matrices"][name]
    short, title = NAMES[name]
    better = "Lower is better." if matrix["lower_is_better"] else "Higher is better."
    page.section(title)
    page.add(Markup("<p>{}: {}</p>").format(page.term(short, short.capitalize()), better))
    cells = matrix["cells"]
    values = [c["value"] for row in cells.values() for c in row.values() if c["value"] is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if name == "success":
        low, high = 0.0, 1.0
    bad, good = (high, low) if matrix["lower_is_better"] else (low, high)
    labels = {row["key"]: row["label"] for row in document["rows"]}
    keys = list(cells)
    stages = document["stages"]
    framed = [(keys.index(key), i) for i, key in enumerate(stages)]
    framed += [(keys.index(key), i) for i, key in enumerate(document["floor"])]
    page.heat_map(
        [_row_label(labels[key]) for key in keys],
        document["tasks"],
        [[f"matrices.{name}.cells.{key}.{task}" for task in document["tasks"]] for key in keys],
        bad,
        good,
        caption="Green is better, orange worse. Framed: the stage that learned the task. Read a "
        "column downwards: what is below the frame should stay as good as in it.",
        corner="after",
        framed=framed,
    )
    if name == "loss" and document["agreement"]["compared"]:
        page.paragraph(_agreement(document["agreement"]["agrees"]))
    page.figure(
        _over_stages(document, name), f"The same {short} over the stages. Each line is a task."
    )


def _agreement(agrees: bool) -> str:
    if agrees:
        return (
            "Checked against the training's own records: all {agreement.compared} losses that it "
            "measured itself came out the same here."
        )
    return (
        "Of the {agreement.compared} losses that training measured itself, some differ from these, "
        "by up to {agreement.largest|fraction} of their value: other episodes, other frames "
        "(--loss-frames, --data, --allow-seen) or another number format."
    )


def _row_label(label: str) -> str:
    return label[0].upper() + label[1:]


def _over_stages(document: dict[str, Any], name: str) -> Any:
    matrix = document["matrices"][name]
    scale = 100.0 if matrix["unit"] == "fraction" else 1.0
    unit = " [%]" if matrix["unit"] == "fraction" else ""
    figure = line_figure("after stage", NAMES[name][0] + unit, height=300)
    first = ["base"] if "base" in matrix["cells"] else []
    keys = [*first, *document["stages"]]
    ticks = [*(["base model"] if first else []), *map(str, range(1, len(document["stages"]) + 1))]
    for task, colour in zip(document["tasks"], _cycled(len(document["tasks"])), strict=True):
        cells = [matrix["cells"][key][task] for key in keys]
        seen = [cell["value"] for cell in cells]
        with_interval = all(cell.get("low") is not None for cell in cells)
        figure.add_scatter(
            x=ticks,
            y=[None if v is None else scale * v for v in seen],
            name=task,
            mode="lines+markers",
            line={"color": colour},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [scale * (c["high"] - c["value"]) for c in cells],
                "arrayminus": [scale * (c["value"] - c["low"]) for c in cells],
                "thickness": 1,
            }
            if with_interval
            else None,
        )
    figure.update_xaxes(type="category")
    return figure.update_yaxes(rangemode="tozero")


def _cycled(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def _figures(page: Page, document: dict[str, Any]) -> None:
    page.section(
        "Kept and forgotten, in figures",
        "The figures that papers on continual learning report, with 95 % intervals (bootstrap "
        "over episodes or trials). For errors and losses their sign is turned, so that a negative "
        "BWT always means forgetting.",
    )
    names = list(document["matrices"])
    rows: list[list[str | Markup]] = []
    for key, label, meaning in _FIGURES:
        term = page.term(label.split(",")[0], label)
        cells = [_figure(page, document, f"figures.{name}.{key}") for name in names]
        rows.append([term, *cells, page.label(meaning)])
    page.table(["", *[NAMES[name][0] for name in names], "what it is"], rows)
    if document["figures"][names[0]]["fwt"]["value"] is None:
        page.add(Markup("<p>FWT: {}.</p>").format(page.text(f"figures.{names[0]}.fwt.why")))
    if document["ceiling"] or document["floor_figures"]:
        _bounds(page, document, names)


def _figure(page: Page, document: dict[str, Any], source: str) -> Markup:
    """Differences of shares are points; ACC and what is relative stay shares."""
    difference = source.rsplit(".", 1)[-1] in ("bwt", "fwt", "forgetting", "nbt")
    share = value_at(document, source)["unit"] == "fraction"
    return page.number(source, "points" if difference and share else None)


def _bounds(page: Page, document: dict[str, Any], names: list[str]) -> None:
    rows = [[page.label("this sequence"), *[page.number(f"figures.{n}.acc") for n in names]]]
    if document["ceiling"]:
        cells = [page.number(f"ceiling.{n}") for n in names]
        rows.insert(0, [page.term("ceiling", "all tasks at once (ceiling)"), *cells])
    if document["floor_figures"]:
        cells = [page.number(f"floor_figures.{n}.acc") for n in names]
        rows.append([page.term("floor", "no replay (floor)"), *cells])
    page.subsection("Between ceiling and floor", "ACC of each way of training.")
    page.table(["training", *[NAMES[name][0] for name in names]], rows)
    if document["floor_figures"]:
        page.table(
            ["without replay", *[NAMES[name][0] for name in names]],
            [
                [
                    page.term(label),
                    *[_figure(page, document, f"floor_figures.{name}.{key}") for name in names],
                ]
                for key, label, _ in _FIGURES
                if key in ("bwt", "forgetting", "nbt")
            ],
        )


def _gate(page: Page, document: dict[str, Any]) -> None:
    page.section(
        "The guide's thresholds",
        "Every threshold must be met. 'Certain' says whether the whole 95 % interval is on the "
        "same side of the limit.",
    )
    rows = []
    for i, row in enumerate(document["gate"]["criteria"]):
        at = f"gate.criteria.{i}"
        css, word = ("good-word", "met") if row["met"] else ("bad-word", "not met")
        value = (
            page.text(f"{at}.value")
            if row["value"] is None or isinstance(row["value"], bool)
            else page.number(f"{at}.value")
        )
        rows.append(
            [
                page.text(f"{at}.criterion"),
                value,
                page.number(f"{at}.limit", row["value"]["unit"]) if row["limit"] else "–",
                Markup('<span class="{}">{}</span>').format(css, word),
                page.text(f"{at}.certain"),
            ]
        )
    page.table(["criterion", "value", "below", "", "certain"], rows)


def _proxy(page: Page, document: dict[str, Any]) -> None:
    page.section(
        "Do the offline numbers predict success?",
        "With five or more checkpoints that have both, their ranking by the offline number is "
        "compared with their ranking by success.",
    )
    table_of_figures(page, document, "proxy")


def _about(page: Page, document: dict[str, Any]) -> None:
    page.section("What was scored")
    page.table(
        ["task", "episodes"],
        [[page.label(t), page.number(f"episodes.{t}")] for t in document["episodes"]],
    )
    facts: dict[str, Markup | str] = {"training": page.text("run")}
    if document["trials"]:
        facts["trials"] = page.text("trials")
    page.facts(facts)
