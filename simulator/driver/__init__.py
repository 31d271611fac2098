"""A GPU driver that is none: an NVML that replays a recorded machine, its faults included.

`control.Driver` installs a recording into a folder: the library, an nvidia-smi, and a tree that
stands for the machine's / with its /sys and /dev. A process started with `Driver.environ()` finds
this NVML; whatever is done to the driver is seen by the process's next call.
"""
