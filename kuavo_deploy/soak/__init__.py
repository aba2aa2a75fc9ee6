"""A long run of policy and executor beside the simulated robot: `python -m kuavo_deploy.soak`.

It switches tasks at random, records all that is published, and says how it went.
"""
