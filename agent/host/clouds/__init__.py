"""What a cloud tells a machine of its own; it is read, and never answered."""
