"""What a repair Pod, or a person, runs on a node to mend it."""
