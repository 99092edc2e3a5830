"""Mapping one layer problem onto a memory hierarchy: loop nests, footprints, access counts, the search."""
