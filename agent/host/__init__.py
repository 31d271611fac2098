"""The one door to the machine: everything that reads procfs, sysfs or psutil lives here."""
