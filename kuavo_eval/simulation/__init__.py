"""Closed loop in the Gymnasium environment: a policy drives as it would drive the robot.

Planner, executor and continuation are the robot's own; only the time is simulated, and inference
takes a stated share of it. Read `run.py`, then `trial.py`, then `robot_driver.py`.
"""

from kuavo_eval.simulation.run import run
from kuavo_eval.simulation.settings import SimulationSettings

__all__ = ["SimulationSettings", "run"]
