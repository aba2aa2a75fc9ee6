"""The kit for one self-contained HTML page out of an evaluation's JSON document."""
