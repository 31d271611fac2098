"""What every program needs and no program is about: clocks, loops, discovery, logs."""
