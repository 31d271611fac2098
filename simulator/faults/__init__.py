"""Ways for a simulated machine to be sick, one file each, found by the name of the module."""
