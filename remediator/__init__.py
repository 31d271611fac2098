"""Observes, judges, decides, acts and tells; the only program that touches a Node."""
