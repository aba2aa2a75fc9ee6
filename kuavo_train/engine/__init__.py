"""The inference engine: a loaded SmolVLA's weights, computed without what lerobot repeats.

The same weights give the same actions (docs/performance.md says how exactly). Start reading at
`engine.py`; a chunk is vision → prefix → state → denoising, one file each.
"""
