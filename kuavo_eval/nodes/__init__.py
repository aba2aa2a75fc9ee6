"""ROS nodes of the evaluation; they only wire."""
