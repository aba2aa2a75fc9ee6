"""Sequential training: the plan of a stage, the loop, validation, results."""
