"""A Kubernetes cluster on a laptop: API server emulator, synthetic nodes, faults, an observer."""
