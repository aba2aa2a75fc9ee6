"""The whole chain offline: a recorded bag is played into the live nodes, and nothing moves.

The nodes run in shadow mode; what they would have commanded is captured (`capture.py`) and held
against what was commanded in the bag (`score.py`): topic in to topic out.
"""
