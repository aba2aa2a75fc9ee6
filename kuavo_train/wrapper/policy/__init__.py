"""One folder per kind of policy."""
