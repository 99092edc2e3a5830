"""Engines: each turns a problem, an architecture and a mapping (or constraints) into access counts."""
