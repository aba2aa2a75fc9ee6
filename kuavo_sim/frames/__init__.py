"""Labelled frames: camera images from random moments of the scenes, with what can be seen where.

Images pass through the policy's own preprocessing; positions, visibility and pixel classes come
from the simulator, motions towards named things from inverse kinematics.
"""
