"""``python -m energysim.cli``."""

from energysim.cli import main

main()
