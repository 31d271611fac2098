"""One question of the machine a file; a probe is found by its module's name."""
