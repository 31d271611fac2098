"""A small, typed, total subset of the Common Expression Language."""
