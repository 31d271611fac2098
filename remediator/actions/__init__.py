"""One rung of a ladder a file; an action is found by its module's name."""
