"""Scores policies: on recorded episodes, in simulation, on hardware; compares them.

`commands` is the command line, `statistics` the intervals and tests, `report` the page kit,
`folder` what an evaluation leaves. Plans and annotations are the user's, in the top-level `eval/`.
"""
