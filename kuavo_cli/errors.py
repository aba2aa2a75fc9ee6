"""An error that the user can mend: shown as one sentence, without a stack trace."""

from __future__ import annotations


class UserError(Exception):
    """Raise it with a sentence that names the thing and what is valid.

    `kuavo` prints ``kuavo: <sentence>`` and exits with `exit_code` (1 unless told otherwise).
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
