"""Does the offline score predict success? Checkpoints that have both, matched by their weights."""
