"""`kuavo doctor`: is this computer set up, is the robot as it should be; if not, what mends it.

`result` says what a check returns; `*_checks` hold the checks, one module per concern; `wire` and
`survey` look at a robot without leaving a trace; `robot_section` and `command` put it together.
"""
