"""Trials on a robot, real or simulated, by a plan that was written and locked before the first.

Plain logic: no ROS, and the clock is an argument. Read `plan.py`, then `protocol.py`.
"""
