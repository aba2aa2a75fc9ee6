"""The robot's interface: vectors, topics, messages, limits. Python 3.8 and numpy only.

`layout` owns the state and action vectors; nothing else in the project knows their order or units.
"""
