"""The two nodes. They only wire topics to the logic in `executor`, `safety` and `policy`."""
