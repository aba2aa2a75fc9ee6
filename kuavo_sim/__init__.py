"""The simulated Kuavo: a MuJoCo robot, four task scenes, experts, recording, and its ROS node."""
