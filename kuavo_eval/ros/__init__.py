"""The protocol's and the replay's wires into ROS: processes, bags, topics. No decisions."""
