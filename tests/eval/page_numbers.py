"""Loads a report in headless Chromium and compares everything that it shows with its JSON.

check_page(folder)     # of an evaluation: report.html against scores.json

It reads the numbers back out of the text, independently of the code that wrote them there.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kuavo_eval.folder import REPORT, SCORES

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"
NUMBER = r"[+\u2212]?[0-9\u202f]+(?:\.[0-9]+)?"
SCALES = {"fraction": 100.0, "points": 100.0}
VOID_TAGS = {"meta", "img", "br", "hr", "link", "input", "source", "col", "wbr"}


@dataclass
class Shown:
    """What a browser shows. values: (source, kind, unit, text). stray: digits without a source."""

    values: list[tuple[str, str, str, str]] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    plots: int = 0
    drawn: int = 0
    loads: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shown = Shown()
        self._stack: list[tuple[str, dict[str, str]]] = []
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        for name in ("src", "href"):
            if re.match(r"(?:https?:)?//|file:", found.get(name, "")):
                self.shown.loads.append(found[name])
        classes = found.get("class", "").split()
        self.shown.plots += tag == "figure" and "plot" in classes
        self.shown.drawn += tag == "svg" and "main-svg" in classes
        if tag not in VOID_TAGS:
            self._stack.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        while self._stack:
            name, found = self._stack.pop()
            if "data-source" in found:
                text = "".join(self._text)
                self._text = []
                kind, unit = found["data-kind"], found.get("data-unit", "")
                self.shown.values.append((found["data-source"], kind, unit, text))
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        if not self._stack or self._stack[-1][0] in ("style", "script", "title"):
            return
        inside = {name for _, found in self._stack for name in found}
        tags = {tag for tag, _ in self._stack}
        if "data-source" in inside:
            self._text.append(data)
        elif "svg" in tags or not re.search("[0-9]", data):
            return
        elif "data-fixed" not in inside or ("td" in tags and re.search(r"[0-9]\.[0-9]|%", data)):
            self.shown.stray.append(data.strip())


def browser() -> str:
    """Chromium; without it the test fails, it is not skipped."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    pytest.fail(f"no browser ({', '.join(BROWSERS)}): run 'make test', which installs one")


def run_browser(*arguments: str) -> str:
    """What it prints; fails on an error of the page's scripts."""
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [browser(), *FLAGS, NO_NETWORK, f"--user-data-dir={profile}",
             "--virtual-time-budget=10000", "--enable-logging=stderr", *arguments],
            capture_output=True, text=True, timeout=120, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not console, console
    return done.stdout


def read_page(file: Path) -> Shown:
    """What Chromium makes of the page after its scripts ran."""
    reader = _Reader()
    dom = run_browser("--dump-dom", file.resolve().as_uri())
    reader.feed(re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL))
    reader.close()
    return reader.shown


def picture(file: Path, to: Path, width: int = 1200, height: int = 2400) -> Path:
    """A screenshot."""
    run_browser(f"--window-size={width},{height}", f"--screenshot={to}", file.resolve().as_uri())
    return to


def check_page(folder: Path) -> Shown:
    """Every number and text on `report.html` is the one in `scores.json`; no network, no gap."""
    document = json.loads((folder / SCORES).read_text(encoding="utf-8"))
    shown = read_page(folder / REPORT)
    problems = differences(shown, document)
    assert not problems, "\n".join(problems)
    return shown


def differences(shown: Shown, document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a page about `document`."""
    found = [] if shown.values else ["the page shows nothing of its document"]
    found += [f"the page asks for {load}, which is not in it" for load in shown.loads]
    found += [f"{text!r} has no source" for text in shown.stray]
    if shown.drawn < shown.plots:
        found.append(f"{shown.plots} plots, {shown.drawn} drawn")
    return found + [
        f"{source} ({unit}): shows {text!r}, is {at(document, source)!r}"
        for source, kind, unit, text in shown.values
        if not agrees(text, kind, unit, at(document, source))
    ]


def at(document: Any, source: str) -> Any:
    """The value at a dotted path."""
    for key in source.split("."):
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


def agrees(text: str, kind: str, unit: str, item: Any) -> bool:
    """Whether a displayed text says what the value says, to its last digit."""
    if kind == "text":
        words = {None: "–", True: "yes", False: "no"}
        return bool(text == (item if isinstance(item, str) else words[item]))
    value = item["value"] if isinstance(item, dict) else item
    if value is None:
        return text == "–"
    if isinstance(value, bool):
        return text == ("yes" if value else "no")
    if text.startswith("<"):
        return bool(value < float(text[1:]))
    if kind == "rate":
        counts, text = text.split(" · ")
        if counts != f"{item['successes']}/{item['trials']}":
            return False
    if unit not in ("p", "") and {"fraction": "%"}.get(unit, unit) not in text:
        return False
    expected_numbers = [value]
    # a per cent that stands alone has a decimal, or is whole
    least = 1 if unit in SCALES else 0
    if isinstance(item, dict) and item.get("low") is not None and item.get("high") is not None:
        expected_numbers += [item["low"], item["high"]]
        least = 0
    numbers = re.findall(NUMBER, text.replace(unit, "") if len(unit) > 1 else text)
    return len(numbers) == len(expected_numbers) and all(
        _same(number, wanted * SCALES.get(unit, 1.0), least)
        for number, wanted in zip(numbers, expected_numbers, strict=True)
    )


def _same(text: str, value: float, least: int) -> bool:
    """Equal to the last digit shown, or to `least` decimals."""
    decimals = max(len(text.partition(".")[2]), least)
    shown = float(text.replace("\u2212", "-").replace("\u202f", ""))
    return abs(shown - value) <= 0.5000001 * 10**-decimals
