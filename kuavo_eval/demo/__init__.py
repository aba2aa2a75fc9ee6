"""The demo: a trained policy does two tasks on the simulated robot, filmed and judged."""
