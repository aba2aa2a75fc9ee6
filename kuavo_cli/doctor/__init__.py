"""`kuavo doctor`: is this machine set up, and if not, what mends it.

`result` says what a check returns; one module per concern holds the checks; `command` runs them.
"""
