"""Trained policies as deployment and evaluation use them."""
