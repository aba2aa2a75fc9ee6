"""Between ROS messages and the logic. Python 3.8: the executor node uses it on the robot."""
