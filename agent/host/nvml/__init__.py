"""NVIDIA's driver, asked by a process that the agent can lose."""
