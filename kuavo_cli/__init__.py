"""The `kuavo` command and what its groups share.

`main` assembles the groups, `doctor` checks the set-up; `jsonio` and `progress` are plain helpers
without typer, for every package of the project.
"""
