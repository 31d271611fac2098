"""The demo: a cluster on this laptop in which this very machine falls sick and is repaired."""
