"""Recorded episodes: LeRobot datasets written, converted from bags, checked and viewed.

A dataset grows episode by episode in a workspace beside it (`workspace`, `episode`) and appears
whole (`assemble`); `bags/` reads what `rosbag record` wrote on the robot.
"""
