"""From live sensors and an instruction to action chunks: what the policy node does.

Python 3.10 and later; no ROS, and the clock is an argument. Read `planner.py`, one step.
"""
