"""What each training stage kept and forgot: all stages × all tasks, and the field's figures of it.

`run.evaluate` is the whole of it. `runs` finds the checkpoints, `scoring` and `success` fill the
matrices, `transfer` has the formulas, `gate` the guide's thresholds, `page` the report.
"""
