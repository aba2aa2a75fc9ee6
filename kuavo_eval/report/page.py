"""A report page: sections, tables, plots, pictures, verdicts; every number comes from the document.

page = Page(document, "Comparison", "Is A better than B?")
page.verdict("verdict.text", "good")
page.section("Success per task", "Paired trials: {trials} each.")
page.table(["task", "success"], [[name, page.number(f"tasks.{name}.success")] for name in tasks])
html = page.html()

Texts may hold `{source}` or `{source|unit}`: that number or text of the document. Cells are
`page.number(…)`, `page.text(…)`, or plain labels.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import cv2
import jinja2
import numpy as np
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from kuavo_eval.report.document import value_at
from kuavo_eval.report.figures import heat_colour
from kuavo_eval.report.glossary import GLOSSARY
from kuavo_eval.report.text import parts
from kuavo_eval.report.words import Words

LEVELS = ("good", "bad", "open", "plain")


class Page(Words):
    """Collects a page about `document`.

    Args:
        document: the JSON document, as read back from `scores.json`.
        title: of the page.
        lead: what it answers, in one or two sentences.
    """

    def __init__(self, document: Mapping[str, Any], title: str, lead: str) -> None:
        super().__init__(document)
        self._title = title
        self._figures = 0
        self._contents: list[tuple[str, str]] = []
        self._body: list[Markup] = []
        self._lead = self.prose(lead)

    def section(self, title: str, text: str = "") -> None:
        """Start a section."""
        anchor = f"s{len(self._contents) + 1}"
        self._contents.append((anchor, title))
        self.add(Markup('<h2 id="{}" data-fixed>{}</h2>').format(anchor, title))
        if text:
            self.paragraph(text)

    def subsection(self, title: str, text: str = "") -> None:
        """A smaller heading, not in the contents."""
        self.add(Markup("<h3 data-fixed>{}</h3>").format(title))
        if text:
            self.paragraph(text)

    def paragraph(self, text: str) -> None:
        """A paragraph of prose."""
        self.add(Markup("<p>{}</p>").format(self.prose(text)))

    def verdict(self, source: str, level: str = "plain", detail: str = "") -> None:
        """A box with the sentence at `source`.

        Args:
            source: of the sentence.
            level: good (green), bad (red), open (yellow: no decision), plain (grey).
            detail: smaller prose below.
        """
        if level not in LEVELS:
            raise ValueError(f"level {level!r}: choose from {', '.join(LEVELS)}")
        below = Markup("<p>{}</p>").format(self.prose(detail)) if detail else ""
        self.add(
            Markup('<div class="verdict {}"><p class="big">{}</p>{}</div>').format(
                level, self.text(source), below
            )
        )

    def facts(self, facts: Mapping[str, Markup | str]) -> None:
        """A short list: label → cell."""
        rows = Markup("").join(
            Markup("<dt>{}</dt><dd>{}</dd>").format(self._heading(label), cell)
            for label, cell in facts.items()
        )
        self.add(Markup('<dl class="facts">{}</dl>').format(rows))

    def table(
        self,
        headings: Sequence[str | Markup],
        rows: Sequence[Sequence[str | Markup]],
        caption: str = "",
    ) -> None:
        """A table; on a narrow screen it scrolls sideways."""
        head = Markup("").join(Markup("<th>{}</th>").format(self._heading(h)) for h in headings)
        body = Markup("").join(
            Markup("<tr>{}</tr>").format(
                Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row)
            )
            for row in rows
        )
        self._add_table(Markup("<tr>{}</tr>").format(head), body, caption)

    def heat_map(
        self,
        rows: Sequence[str],
        columns: Sequence[str],
        sources: Sequence[Sequence[str | None]],
        bad: float,
        good: float,
        caption: str = "",
        corner: str = "",
        unit: str | None = None,
        framed: Sequence[tuple[int, int]] = (),
    ) -> None:
        """A table whose cells are coloured by their value; None: an empty cell.

        Args:
            rows: labels.
            columns: labels.
            sources: of each cell, row by row.
            bad: value at the orange end of the colours.
            good: value at the green end; below `bad` for errors.
            caption: below; say what the colours mean.
            corner: label of the corner, e.g. 'after stage ↓ · task →'.
            unit: as in `number`.
            framed: cells (row, column) to stand out.
        """
        head = Markup("<tr><th>{}</th>{}</tr>").format(
            self._heading(corner),
            Markup("").join(Markup("<th>{}</th>").format(self._heading(c)) for c in columns),
        )
        body = Markup("").join(
            Markup("<tr><th>{}</th>{}</tr>").format(
                self._heading(label),
                Markup("").join(
                    self._heat_cell(source, bad, good, unit, (i, j) in framed)
                    for j, source in enumerate(sources[i])
                ),
            )
            for i, label in enumerate(rows)
        )
        self._add_table(head, body, caption, "heat")

    def figure(self, figure: go.Figure, caption: str) -> None:
        """A plotly figure; say in `caption` what to see in it."""
        self._figures += 1
        drawn = figure.to_html(
            full_html=False,
            include_plotlyjs=False,
            div_id=f"plot{self._figures}",
            config={"responsive": True, "displayModeBar": False, "displaylogo": False},
        )
        self.add(
            Markup('<figure class="plot" data-fixed>{}<figcaption>{}</figcaption></figure>').format(
                Markup(drawn), self.prose(caption)
            )
        )

    def images(self, images: Sequence[tuple[np.ndarray | bytes, str]], width: int = 240) -> None:
        """Pictures in a row that wraps: (RGB array, or JPEG bytes; caption) each."""
        shown_images = Markup("").join(
            Markup(
                '<figure style="max-width:{}px"><img alt="{}" src="{}">'
                "<figcaption>{}</figcaption></figure>"
            ).format(width, caption, jpeg_url(image), self.prose(caption))
            for image, caption in images
        )
        self.add(Markup('<div class="images">{}</div>').format(shown_images))

    def details(self, title: str, build: Any) -> None:
        """A part that opens on a click; `build()` adds its blocks."""
        body, self._body = self._body, []
        try:
            build()
            inner = Markup("\n").join(self._body)
        finally:
            self._body = body
        self.add(
            Markup("<details><summary data-fixed>{}</summary>{}</details>").format(title, inner)
        )

    def add(self, block: Markup) -> None:
        """A block of one's own; `Markup` vouches for it."""
        self._body.append(block)

    def html(self) -> str:
        """The whole page."""
        self._provenance()
        folder = files("kuavo_eval.report")
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        template = environment.from_string((folder / "page.html").read_text(encoding="utf-8"))
        return template.render(
            title=self._title,
            lead=self._lead,
            style=Markup((folder / "page.css").read_text(encoding="utf-8")),
            plotly=Markup(get_plotlyjs()) if self._figures else None,
            contents=self._contents,
            body=Markup("\n").join(self._body),
            glossary={term: GLOSSARY[term] for term in self._terms},
        )

    def _heat_cell(
        self, source: str | None, bad: float, good: float, unit: str | None, framed: bool
    ) -> Markup:
        if source is None:
            return Markup('<td class="empty"></td>')
        value = parts(value_at(self._document, source))[0]
        return Markup('<td class="{}" style="background:{}">{}</td>').format(
            "framed" if framed else "cell",
            heat_colour(value, bad, good),
            self.number(source, unit),
        )

    def _add_table(self, head: Markup, body: Markup, caption: str, kind: str = "") -> None:
        below = Markup("<figcaption>{}</figcaption>").format(self.prose(caption)) if caption else ""
        self.add(
            Markup(
                '<figure class="table"><div class="scroll"><table class="{}"><thead>{}</thead>'
                "<tbody>{}</tbody></table></div>{}</figure>"
            ).format(kind, head, body, below)
        )

    def _provenance(self) -> None:
        """Command, seed, checkpoints, versions: at the end of every page."""
        about = self._document.get("provenance")
        if not about:
            return
        self.section(
            "How to repeat this", "Every number of this page stands in scores.json beside it."
        )
        facts: dict[str, Markup | str] = {
            name: self.text(f"provenance.{name}")
            for name in ("command", "created", "python", "platform")
            if isinstance(about.get(name), str)
        }
        if about.get("seed") is not None:
            facts["seed"] = self.number("provenance.seed")
        for label, checkpoint in (about.get("checkpoints") or {}).items():
            for field in ("path", "sha256"):
                if isinstance(checkpoint.get(field), str):
                    facts[f"{label}: {field}"] = self.text(
                        f"provenance.checkpoints.{label}.{field}"
                    )
        for package in about.get("packages") or {}:
            facts[package] = self.text(f"provenance.packages.{package}")
        self.details("Command, checkpoints, versions", lambda: self.facts(facts))


def jpeg_url(image: np.ndarray | bytes, quality: int = 80) -> str:
    """A data URI of JPEG bytes, or of an RGB array of shape (H, W, 3), uint8."""
    if isinstance(image, np.ndarray):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
        image = encoded.tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(image).decode()
