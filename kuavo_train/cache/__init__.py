"""What a frozen part of the policy computes, kept on disk: done once per dataset, not per step.

`store.py`: rows on disk. `key.py`: what they are valid for. `kinds.py`: what is kept.
`prefix.py`: lerobot's model beside kept keys and values. `filling.py`: computes what is missing.
"""
