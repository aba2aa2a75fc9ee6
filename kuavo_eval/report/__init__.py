"""The kit for one self-contained HTML page out of an evaluation's JSON document.

`Page` puts it together; `shown` is the one place where a number becomes text.
"""

from kuavo_eval.report.document import value_at
from kuavo_eval.report.figures import COLOURS, line_figure
from kuavo_eval.report.page import Page
from kuavo_eval.report.text import shown

__all__ = ["COLOURS", "Page", "line_figure", "shown", "value_at"]
