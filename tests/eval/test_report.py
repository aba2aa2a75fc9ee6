"""The page kit: what stands on a page is what stands in the document, and a browser agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from kuavo_eval.report import Page, line_figure, shown, value_at
from kuavo_eval.report.figures import heat_colour, with_band
from kuavo_eval.statistics import wilson
from tests.eval.page_numbers import agrees, differences, read_page

NUMBERS = st.floats(-1e5, 1e5).map(lambda x: round(x, 9))
UNITS = st.sampled_from(["", "rad", "s", "ms", "fraction", "points", "rad/s", "trials"])


@pytest.mark.parametrize(
    ("item", "unit", "text"),
    [
        (wilson(18, 20).as_dict(), None, "18/20 · 90\u00a0% (70–97\u00a0%)"),
        (wilson(912, 1000).as_dict(), None, "912/1000 · 91.2\u00a0% (89.3–92.8\u00a0%)"),
        (0.0123, "rad", "0.0123\u00a0rad"),
        ({"value": 0.0123, "unit": "rad", "low": 0.0101, "high": 0.0149}, None,
         "0.0123\u00a0rad (0.0101–0.0149)"),
        ({"value": -0.2, "unit": "s", "low": -0.31, "high": 0.1}, None,
         "−0.20\u00a0s (−0.31 to 0.10)"),
        ({"value": 1.00003, "unit": "", "low": 0.99981, "high": 1.00122}, None,
         "1.000 (1.000–1.001)"),
        ({"value": 0.25, "unit": "fraction", "low": -0.03, "high": 0.49}, "points",
         "+25\u00a0points (−3 to +49)"),
        (0.912, "fraction", "91.2\u00a0%"),
        (31, "trials", "31\u00a0trials"),
        (12345, "", "12\u202f345"),
        (0.0304, "p", "0.030"),
        (0.5, "p", "0.50"),
        (0.00001, "p", "<\u00a00.001"),
        (None, "rad", "–"),
        ({"value": None, "unit": "rad", "low": None, "high": None}, None, "–"),
        (True, None, "yes"),
        (-0.0001, "fraction", "0.0\u00a0%"),
        (0.05, "fraction", "5\u00a0%"),
        (0.0, "rad", "0\u00a0rad"),
    ],
)  # fmt: skip
def test_a_number_as_text(item: Any, unit: str | None, text: str) -> None:
    assert shown(item, unit) == text


@given(NUMBERS, NUMBERS, NUMBERS, UNITS)
def test_the_reader_reads_back_what_the_writer_wrote(
    a: float, b: float, c: float, unit: str
) -> None:
    low, value, high = sorted([a, b, c])
    for item in (value, {"value": value, "unit": unit, "low": low, "high": high}):
        assert agrees(shown(item, unit), "number", unit, item)


@given(NUMBERS, st.floats(1.02, 50), UNITS)
@example(0.18, 1.0234375, "fraction")
def test_the_reader_notices_another_number(value: float, factor: float, unit: str) -> None:
    scale = 100 if unit in ("fraction", "points") else 1
    if abs(value) * scale > 10:
        assert not agrees(shown(value, unit), "number", unit, value * factor)


def test_a_path_that_leads_nowhere_lists_what_is_there() -> None:
    with pytest.raises(KeyError, match="no 'sucess' at tasks.weighing; there is success, n"):
        value_at({"tasks": {"weighing": {"success": 1, "n": 2}}}, "tasks.weighing.sucess")
    assert value_at({"trials": [{"time": 3.5}]}, "trials.0.time") == 3.5


def test_colours_of_a_heat_map() -> None:
    assert heat_colour(0.0, bad=0, good=1) != heat_colour(1.0, bad=0, good=1)
    assert heat_colour(5.0, bad=1, good=0) == heat_colour(1.0, bad=1, good=0)
    assert heat_colour(None, 0, 1) == "#ffffff"


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "verdict": "A is better at weighing: 18/20 against 11/20.",
        "tasks": {
            "weighing": {"success": wilson(18, 20).as_dict(), "p": 0.031, "lag": -0.04},
            "分拣 <b>": {"success": wilson(0, 20).as_dict(), "p": 0.00004, "lag": None},
        },
        "trials": 20,
        "provenance": {"command": "kuavo eval compare A B", "seed": 7, "packages": {"x": "1.2"}},
    }


def page_of(document: dict[str, Any]) -> Page:
    page = Page(document, "Comparison of A & B", "Which one is better? {trials} trials each.")
    page.verdict("verdict", "good", "{trials|trials} of each, 95 % intervals.")
    page.section("Success", "Told apart at p < 0.05: {tasks.weighing.p|p}.")
    page.table(
        ["task", "success", "p-value", "lag"],
        [
            [
                name,
                page.number(f"tasks.{name}.success"),
                page.number(f"tasks.{name}.p", "p"),
                page.number(f"tasks.{name}.lag", "s"),
            ]
            for name in document["tasks"]
        ],
        "Lag: negative is early.",
    )
    page.heat_map(
        ["stage 1"], ["weighing", "later"], [["tasks.weighing.success", None]], bad=0, good=1,
        corner="after", framed=[(0, 0)],
    )  # fmt: skip
    figure = line_figure("time [s]", "error [rad]")
    with_band(figure, [0, 1, 2], [1, 2, 3], [0, 1, 2], [2, 3, 4], "weighing", "#2b6cb0")
    page.figure(figure, "The error grows.")
    page.images([(np.full((60, 80, 3), 200, np.uint8), "head camera at {trials} s")])
    return page


def test_a_browser_shows_what_the_document_says(document: dict[str, Any], tmp_path: Path) -> None:
    page = page_of(document)
    file = tmp_path / "page.html"
    file.write_text(page.html(), encoding="utf-8")
    found = read_page(file)
    assert differences(found, document) == []
    assert found.plots == 1 and found.drawn >= 1
    sources = {source for source, *_ in found.values}
    assert {"verdict", "trials", "tasks.weighing.success", "provenance.seed"} <= sources
    text = file.read_text(encoding="utf-8")
    assert "分拣 &lt;b&gt;" in text and "<b>" not in text.split("<body>")[1].split("<script")[0]


def test_the_check_finds_what_is_wrong(document: dict[str, Any], tmp_path: Path) -> None:
    page = Page(document, "Wrong", "Something.")
    page.table(["x"], [["3.14 rad"], [page.number("tasks.weighing.success")]])
    page.add(Markup('<img src="https://example.invalid/x.png">'))
    page.add(Markup('<figure class="plot"></figure>'))
    file = tmp_path / "page.html"
    file.write_text(page.html(), encoding="utf-8")
    document["tasks"]["weighing"]["success"]["low"] = 0.6
    problems = "\n".join(differences(read_page(file), document))
    for part in (
        "'3.14 rad' has no source",
        "tasks.weighing.success",
        "example.invalid",
        "0 drawn",
    ):
        assert part in problems


def test_a_page_without_plots_is_small(document: dict[str, Any], tmp_path: Path) -> None:
    page = Page(document, "Small", "Nothing drawn.")
    page.verdict("verdict")
    assert len(page.html()) < 20_000


def test_an_error_of_a_script_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<p data-source=x data-kind=text>1</p><script>undefined_function()</script>")
    with pytest.raises(AssertionError, match="undefined_function"):
        read_page(file)


def test_terms_explain_themselves_and_unknown_ones_are_refused(document: dict[str, Any]) -> None:
    page = Page(document, "Terms", "Words.")
    page.add(page.term("ACC"))
    assert page.html().count("Average over all tasks") == 2  # the tooltip, and the list at the end
    with pytest.raises(KeyError):
        page.term("jargon")
    with pytest.raises(ValueError, match="good, bad, open, plain"):
        page.verdict("verdict", "fine")
    with pytest.raises(TypeError, match="use number"):
        page.text("trials")
