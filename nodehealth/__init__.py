"""The language that agent and remediator share: signals, API objects, names."""
