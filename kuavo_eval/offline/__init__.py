"""Recorded episodes replayed through policies: batched, decoded once, scored per task.

`run.score` is the whole of it; `document`, `tables` and `page` write it down.
"""

from kuavo_eval.offline.options import Options
from kuavo_eval.offline.run import score
from kuavo_eval.offline.scores import OfflineScores
from kuavo_eval.offline.sources import Source

__all__ = ["OfflineScores", "Options", "Source", "score"]
