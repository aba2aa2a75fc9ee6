"""The report on an offline score as a predictor of success."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from kuavo_eval.report import COLOURS, Page, line_figure
from kuavo_eval.statistics.proxy import UNVALIDATED

NAMES = {"error": "normalized error", "loss": "validation loss"}
UNITS = {"error": "fraction", "loss": ""}


def table_of_figures(page: Page, document: dict[str, Any], at: str) -> None:
    """One row per offline number below `at`, or the word 'unvalidated' with its reason."""
    found: Any = document
    for key in at.split("."):
        found = found[key]
    rows: list[list[str | Markup]] = []
    for name, one in found.items():
        path = f"{at}.{name}"
        if one["status"] == UNVALIDATED:
            page.add(
                Markup('<p>{}: <span class="open-word">{}</span>, {}.</p>').format(
                    page.label(NAMES[name]), page.term(UNVALIDATED), page.text(f"{path}.why")
                )
            )
            continue
        cells = [page.number(f"{path}.{key}") for key in ("checkpoints", "spearman", "pearson")]
        rows.append([page.label(NAMES[name]), *cells, page.number(f"{path}.mmrv", "fraction")])
    if rows:
        page.table(
            ["offline number", "checkpoints", "Spearman", "Pearson", "MMRV"],
            rows,
            "A good error ranks opposite to success: near −1. MMRV is success lost by trusting it.",
        )


def render(document: dict[str, Any]) -> str:
    """The page of a validity document."""
    page = Page(
        document,
        "Does the offline score predict success?",
        "A low error on recordings is cheap to measure. Whether the checkpoint with the lower "
        "error also works better was measured here.",
    )
    page.verdict("verdict.text", document["verdict"]["level"])
    page.section("Over all tasks", "Averages in which each task weighs the same.")
    table_of_figures(page, document, "overall")
    for measure in document["overall"]:
        page.figure(_scatter(document, measure), "Each dot is a checkpoint.")
    if len(document["tasks"]) > 1:
        page.section("Task by task")
        for task in document["tasks"]:
            page.subsection(task)
            table_of_figures(page, document, f"per_task.{task}")
    page.section("The checkpoints")
    page.table(
        ["checkpoint", "success", *[NAMES[m] for m in document["overall"]]],
        [
            [
                page.text(f"checkpoints.{i}.label"),
                page.number(f"checkpoints.{i}.success"),
                *[page.number(f"checkpoints.{i}.{m}", UNITS[m]) for m in document["overall"]],
            ]
            for i in range(len(document["checkpoints"]))
        ],
    )
    return page.html()


def _scatter(document: dict[str, Any], measure: str) -> Any:
    scale, unit = (100.0, " [%]") if UNITS[measure] == "fraction" else (1.0, "")
    figure = line_figure(NAMES[measure] + unit, "success [%]", height=320)
    figure.add_scatter(
        x=[scale * row[measure] for row in document["checkpoints"]],
        y=[100 * row["success"]["value"] for row in document["checkpoints"]],
        text=[row["label"] for row in document["checkpoints"]],
        mode="markers+text",
        textposition="top center",
        marker={"size": 9, "color": COLOURS[0]},
        showlegend=False,
    )
    return figure.update_yaxes(range=[-4, 108])
