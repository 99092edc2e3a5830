"""Energy of the accesses to one memory, the formula that both the cost tables and the golden tests use."""

from __future__ import annotations

from math import ceil


def access_energy_pj(words_per_instance: float, instances: float, words_per_access: int, pj_per_access: float) -> float:
    """Energy in pJ of moving ``words_per_instance`` words at each of ``instances`` instances.

    A physical access moves ``words_per_access`` words and is paid in full, so the accesses of an instance are rounded
    up (Timeloop's rule: instances * ceil(words / block) * energy per access).
    """
    return instances * ceil(words_per_instance / words_per_access) * pj_per_access
