"""From action chunks to the robot's command stream: queue, hand-over of the base, the executor.

Plain Python 3.8; no ROS, and the clock is an argument. Read `executor.py`, one tick.
"""
