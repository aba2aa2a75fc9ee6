"""`make demo-model`: from nothing to a model that does the four tasks, step by step."""
