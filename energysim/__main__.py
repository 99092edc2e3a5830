"""``python -m energysim``."""

from energysim.cli import main

main()
