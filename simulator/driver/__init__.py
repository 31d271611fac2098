"""A driver of NVIDIA GPUs that is none: an NVML that replays a recorded machine, faults included."""
