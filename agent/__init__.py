"""Observes one node and reports facts; never judges, never repairs."""
