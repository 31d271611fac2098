"""A GPU driver that is none: an NVML that replays a recorded machine, its faults included."""
