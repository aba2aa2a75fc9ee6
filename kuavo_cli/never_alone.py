"""Processes that end with whoever started them."""

NEVER_ALONE = ("setpriv", "--pdeathsig", "INT", "--")
"""Linux: before a command, Ctrl-C for it when the process that started it is gone, even by kill -9.
A policy that nobody watches must not go on, nor dispute the robot with the next one's."""
