"""The policy as training, deployment and evaluation share it: action space, normalization,

preprocessing, the loss, freezing, and how a SmolVLA is made or loaded.
"""
