"""The policy as training, deployment and evaluation share it.

Action space, normalization, preprocessing, the loss, freezing, and how a SmolVLA is made.
"""
