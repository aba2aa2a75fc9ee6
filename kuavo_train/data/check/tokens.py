"""How many tokens an instruction has."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kuavo_cli.errors import UserError

_PIECES = re.compile(r"[一-鿿]|\w+|[^\w\s]")
LETTERS_PER_TOKEN = 8


class TokenCounter(NamedTuple):
    """count: tokens of a text. source: what a report says about the numbers."""

    count: Callable[[str], int]
    source: str


def token_counter(folder: Path | None) -> TokenCounter:
    """Counts with the tokenizer in `folder`, or estimates without one.

    Raises:
        UserError: there is no tokenizer in `folder`.
    """
    if folder is None:
        return TokenCounter(estimate, "estimated from words, no tokenizer was given")
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"no tokenizer in {folder}: {error}") from error
    # the policy's preprocessor ends every instruction with a new line
    return TokenCounter(lambda text: len(tokenizer(text + "\n")["input_ids"]), f"by {folder}")


def estimate(text: str) -> int:
    """Words and punctuation; long words count more than once; one for the final new line."""
    pieces = _PIECES.findall(text)
    return 1 + sum(math.ceil(len(piece) / LETTERS_PER_TOKEN) for piece in pieces)
