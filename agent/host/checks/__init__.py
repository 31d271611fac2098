"""Programs of the operator's own that look at the machine: run within bounds, and never trusted."""
