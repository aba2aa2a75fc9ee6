"""Intervals, tests, sample sizes, stopping rules: scipy and statsmodels where they have it."""
