"""The controllers that a bare API server needs to behave like one that runs in a cluster."""
