"""What stands in a cell or a sentence: numbers and texts of the document, labels, terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from kuavo_eval.report.document import value_at
from kuavo_eval.report.glossary import GLOSSARY
from kuavo_eval.report.text import parts, shown

_PLACEHOLDER = re.compile(r"\{([^{}|]+)(?:\|([^{}]*))?\}")


class Words:
    """Renders values of `document` so that a test can find each one again (`data-source`)."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._terms: dict[str, None] = {}

    def number(self, source: str, unit: str | None = None, decimals: int | None = None) -> Markup:
        """The number (with unit and interval) at `source`; see `shown`."""
        item = value_at(self._document, source)
        value, own, _, _ = parts(item)
        kind = "rate" if isinstance(item, Mapping) and "successes" in item else "number"
        why = item.get("why") if isinstance(item, Mapping) else None
        title = Markup(' title="{}"').format(why) if why else ""
        return Markup(
            '<span class="number" data-source="{}" data-kind="{}" data-unit="{}"{}>{}</span>'
        ).format(source, kind, own if unit is None else unit, title, _text(item, unit, decimals))

    def text(self, source: str) -> Markup:
        """The text (or yes, no) at `source`."""
        value = value_at(self._document, source)
        if isinstance(value, bool) or value is None:
            value = shown(value)
        if not isinstance(value, str):
            raise TypeError(f"{source} is {value!r}, no text: use number()")
        return Markup('<span data-source="{}" data-kind="text">{}</span>').format(source, value)

    def prose(self, text: str) -> Markup:
        """A sentence; `{source}` or `{source|unit}` becomes the number or text there."""
        pieces: list[Markup] = []
        end = 0
        for match in _PLACEHOLDER.finditer(text):
            pieces.append(self.label(text[end : match.start()]))
            pieces.append(self.value(match.group(1), match.group(2)))
            end = match.end()
        return Markup("").join([*pieces, self.label(text[end:])])

    def label(self, text: str) -> Markup:
        """A fixed label that has digits of its own, e.g. the name of a task."""
        return Markup("<span data-fixed>{}</span>").format(text)

    def term(self, term: str, text: str | None = None) -> Markup:
        """A word of the glossary, with its explanation on hover, focus and at the page's end.

        Raises:
            KeyError: the glossary lacks it.
        """
        self._terms[term] = None
        return Markup('<span class="term" tabindex="0" data-fixed data-tip="{}">{}</span>').format(
            GLOSSARY[term], text or term
        )

    def value(self, source: str, unit: str | None = None) -> Markup:
        """The number or the text at `source`, whichever is there."""
        if unit is None and isinstance(value_at(self._document, source), (str, bool)):
            return self.text(source)
        return self.number(source, unit)

    def _heading(self, text: str | Markup) -> Markup:
        if isinstance(text, Markup):
            return text
        return self.term(text) if text in GLOSSARY else self.label(text)


def _text(item: Any, unit: str | None, decimals: int | None) -> Markup:
    """The number; its interval in a span of its own, so that a line breaks before it."""
    value, bracket, interval = shown(item, unit, decimals).partition(" (")
    if not bracket:
        return Markup('<span class="value">{}</span>').format(value)
    return Markup('<span class="value">{}</span> <span class="interval">({}</span>').format(
        value, interval
    )
