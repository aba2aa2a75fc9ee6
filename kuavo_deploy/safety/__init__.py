"""What stands between a policy and the robot: checks, limits, rates, watchdogs, states.

Plain Python 3.8 and numpy (and ruckig in `stream`); no ROS, and time is always an argument.
"""
