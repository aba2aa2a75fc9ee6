"""Replay of earlier tasks: which of their frames come back, and how many in each batch."""
