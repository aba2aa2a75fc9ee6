"""The registry of tasks: training, deployment, simulation and evaluation all read it here.

A task is one file in `configs/policy/task/tasks/`; adding a fifth one adds a task everywhere.
"""

from kuavo_train.tasks.registry import Task, TaskRegistry, UnknownTask, load_tasks, task_named

__all__ = ["Task", "TaskRegistry", "UnknownTask", "load_tasks", "task_named"]
