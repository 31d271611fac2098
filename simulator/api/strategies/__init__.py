"""What a kind of object adds to the general rules of writing: defaults, admission, validation."""
