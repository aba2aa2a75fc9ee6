"""Checkpoints: self-contained folders, written atomically, verified when read."""
