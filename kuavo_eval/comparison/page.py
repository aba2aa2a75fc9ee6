"""The report of a comparison."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from kuavo_eval.comparison.verdict import EQUAL, A, B
from kuavo_eval.folder import TRIALS
from kuavo_eval.report import COLOURS, Page, line_figure

_WHERE = {
    "recordings": "on recorded episodes, offline",
    "simulation": "in simulation",
    "ros": "on the simulated robot, through the real nodes",
    "robot": "on the robot",
}
_WORDS = {A: "A is better", B: "B is better", EQUAL: "no difference worth more trials"}


def render(document: dict[str, Any]) -> str:
    """The page of a comparison's document."""
    sides = document["sides"]
    page = Page(
        document,
        f"{sides['a']['label']} against {sides['b']['label']}",
        f"Is A = {{sides.a.label}} better than B = {{sides.b.label}}? Measured {_where(sides)}.",
    )
    page.verdict("verdict.text", document["verdict"]["level"], _detail(document))
    _conditions(page, document["different_conditions"])
    if document["method"]["of"] == TRIALS:
        _rates(page, document)
        _sequential(page, document)
        _stages(page, document)
        _outcomes(page, document)
    else:
        _errors(page, document)
    _method(page, document)
    return page.html()


def _conditions(page: Page, different: list[dict[str, Any]]) -> None:
    if not different:
        return
    page.section(
        "Not only the checkpoint differs",
        "The trials were run under different conditions, too. What is better may be due to these.",
    )
    page.table(
        ["condition", "A", "B"],
        [
            [page.value(f"different_conditions.{i}.{key}") for key in ("what", "a", "b")]
            for i in range(len(different))
        ],
    )


def _where(sides: dict[str, Any]) -> str:
    a, b = (_WHERE[sides[side]["source"]] for side in ("a", "b"))
    return a if a == b else f"A {a}, B {b}"


def _detail(document: dict[str, Any]) -> str:
    if document["method"]["sequential"]:
        return (
            "These statistics hold at every moment: you may look after each trial and stop as soon "
            "as there is a decision."
        )
    detail = (
        "A decision means: if there were no difference, one like this would be seen in fewer than "
        "{method.alpha|fraction} of such comparisons."
    )
    if document["overall"]:
        detail += " Averaged over the tasks, A minus B is {overall|points}."
    return detail


def _rates(page: Page, document: dict[str, Any]) -> None:
    page.section(
        "Success, task by task",
        "Each success rate with the interval in which the true rate most likely lies. Overlapping "
        "intervals do not mean 'no difference': the p-value decides.",
    )
    rows = []
    for name in document["tasks"]:
        at = f"tasks.{name}"
        rows.append(
            [
                page.label(name),
                page.number(f"{at}.a"),
                page.number(f"{at}.b"),
                page.number(f"{at}.difference", "points"),
                page.number(f"{at}.p_holm", "p"),
                _decided(page, document, name),
            ]
        )
    headings = ["task", "A", "B", "A − B", page.term("Holm", "p after Holm"), "decision"]
    page.table(headings, rows)
    page.figure(_intervals(document), "The same intervals. A dot is the rate that was seen.")


def _decided(page: Page, document: dict[str, Any], name: str) -> Markup:
    row = document["tasks"][name]
    if row["decision"] in (A, B):
        css = "good-word" if row["decision"] == A else "bad-word"
        return Markup('<span class="{}">{}</span>').format(css, _WORDS[row["decision"]])
    if row["decision"] == EQUAL:
        return page.label(_WORDS[EQUAL])
    if row["more"] is None:
        return Markup('<span class="open-word">go on</span>')
    return Markup('<span class="open-word">open:</span> {} more {}').format(
        page.number(f"tasks.{name}.more"), row["unit"]
    )


def _intervals(document: dict[str, Any]) -> Any:
    names = list(document["tasks"])
    figure = line_figure("success rate [%]", "", height=110 + 62 * len(names))
    for side, shift, colour in (("a", 0.14, COLOURS[0]), ("b", -0.14, COLOURS[1])):
        rates = [document["tasks"][name][side] for name in names]
        places = [len(names) - 1 - i + shift for i in range(len(names))]
        figure.add_scatter(
            x=[100 * rate["value"] for rate in rates],
            y=places,
            mode="markers",
            marker={"size": 9, "color": colour},
            name=f"{side.upper()}: {document['sides'][side]['label']}",
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * (rate["high"] - rate["value"]) for rate in rates],
                "arrayminus": [100 * (rate["value"] - rate["low"]) for rate in rates],
                "color": colour,
            },
        )
    figure.update_yaxes(
        tickvals=[len(names) - 1 - i for i in range(len(names))],
        ticktext=names,
        range=[-0.6, len(names) - 0.4],
    )
    return figure.update_xaxes(range=[-2, 102])


def _sequential(page: Page, document: dict[str, Any]) -> None:
    if not document["method"]["sequential"]:
        return
    page.section(
        "When to stop",
        "Evidence against 'both succeed equally often' starts at 1. At 20, a single task is "
        "decided at the 5 % level; with several tasks the p-values above count.",
    )
    rows = [
        [
            page.label(name),
            page.number(f"tasks.{name}.evidence.used"),
            page.number(f"tasks.{name}.evidence.e_value", ""),
            page.number(f"tasks.{name}.evidence.largest", ""),
            page.number(f"tasks.{name}.evidence.decided_after"),
        ]
        for name in document["tasks"]
    ]
    page.table(["task", "trials of each", page.term("e-value", "evidence now"), "largest so far",
                "first reached 1 / α after"], rows)  # fmt: skip


def _stages(page: Page, document: dict[str, Any]) -> None:
    page.section(
        "How far the trials came",
        "Part of the trials that reached each stage of the task. Where they thin out is where the "
        "policy fails.",
    )
    for name, row in document["tasks"].items():
        page.subsection(
            name, f"Mean progress: A minus B is {{tasks.{name}.progress.difference|points}}."
        )
        page.table(
            ["stage", "A", "B"],
            [
                [
                    page.text(f"tasks.{name}.stages.{i}.stage"),
                    page.number(f"tasks.{name}.stages.{i}.a"),
                    page.number(f"tasks.{name}.stages.{i}.b"),
                ]
                for i in range(len(row["stages"]))
            ],
        )


def _outcomes(page: Page, document: dict[str, Any]) -> None:
    page.section("What else happened")
    rows = []
    for name in document["tasks"]:
        at = f"tasks.{name}"
        rows.append(
            [
                page.label(name),
                page.number(f"{at}.wrong_task.a"),
                page.number(f"{at}.wrong_task.b"),
                page.number(f"{at}.void.a"),
                page.number(f"{at}.void.b"),
                page.number(f"{at}.left_out"),
            ]
        )
    headings = [
        "task",
        page.term("wrong task", "A: wrong task"),
        "B: wrong task",
        page.term("void", "A: void"),
        "B: void",
        "not used",
    ]
    page.table(headings, rows, "Not used: trials whose partner is missing in a paired comparison.")


def _errors(page: Page, document: dict[str, Any]) -> None:
    measure = document["method"]["measure"]
    page.section(
        f"{measure.capitalize()}, task by task",
        "Lower is better. Both were scored on the same held-out episodes, so the interval of the "
        "difference is narrower than the two alone suggest. Whether this predicts success on the "
        "robot is another question: see proxy validity.",
    )
    rows = []
    for name, row in document["tasks"].items():
        at = f"tasks.{name}"
        unit = "points" if row["difference"]["unit"] == "fraction" else None
        rows.append(
            [
                page.label(name),
                page.number(f"{at}.a"),
                page.number(f"{at}.b"),
                page.number(f"{at}.difference", unit),
                page.number(f"{at}.episodes"),
                page.number(f"{at}.p_holm", "p"),
                _decided(page, document, name),
            ]
        )
    headings = ["task", "A", "B", "A − B", "episodes", page.term("Holm", "p after Holm"),
                "decision"]  # fmt: skip
    page.table(headings, rows)
    if document["not_compared"]:
        page.table(
            ["not compared", "why"],
            [
                [page.label(name), page.text(f"not_compared.{name}")]
                for name in document["not_compared"]
            ],
        )


def _method(page: Page, document: dict[str, Any]) -> None:
    page.section("How it was decided")
    facts: dict[str, Markup | str] = {
        "A": page.text("sides.a.folder"),
        "B": page.text("sides.b.folder"),
        "level of all decisions together": page.number("method.alpha", "fraction"),
        "power for the number of trials": page.number("method.power", "fraction"),
        "smallest difference of success that matters": page.number("method.smallest", "fraction"),
    }
    page.facts(facts)
    rows = [
        [page.label(name), page.text(f"tasks.{name}.test"), page.number(f"tasks.{name}.p", "p")]
        for name in document["tasks"]
    ]
    page.table(["task", "test", page.term("p-value", "p alone")], rows)
