"""ROS nodes of the simulated robot. They only wire: what they do stands in `kuavo_sim/ros`."""
