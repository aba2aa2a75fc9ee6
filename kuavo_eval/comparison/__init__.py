"""Is A better than B? Trials by exact tests, offline scores by paired episodes, in plain words.

`sides` finds the two checkpoints, `rollouts` and `recordings` compare them task by task, `verdict`
says it in a sentence, `page` shows it.
"""

from kuavo_eval.comparison.run import Options, compare

__all__ = ["Options", "compare"]
