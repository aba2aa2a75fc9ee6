"""The robot's and the workshop's MuJoCo models, made of primitive shapes."""
