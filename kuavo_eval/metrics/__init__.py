"""Scores of actions against recorded ones: numpy in, numbers out, one idea per file.

Shapes: N frames, T steps of a chunk, D = 16 or 20 numbers of an action, L frames of an episode.
"""
