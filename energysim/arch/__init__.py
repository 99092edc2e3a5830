"""Architectures: memory levels, arrays and compute units, read from YAML."""
