"""Lets `python -m nodemend` be the command line."""

from nodemend.cli import main

main()
