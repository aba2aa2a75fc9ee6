"""Recording of simulated episodes: LeRobot datasets and ROS bags, without ROS."""
