"""The base model's pretraining: pointing at named things, naming what is seen, generic motions.

Stands in for `lerobot/smolvla_base` where there is none. Only here are there auxiliary heads;
what is stored is a plain SmolVLA.
"""
