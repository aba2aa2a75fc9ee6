"""Tasks, recorded data and the training of one SmolVLA over all tasks in sequence."""
