"""Which constants a simulated result rests on: the share, the swing over low and high, and the source of each."""

from energysim.sensitivity.constants import Swing
from energysim.sensitivity.explain import Explanation, explain
from energysim.sensitivity.result_file import StoredResult, StoredVariant, read_result

__all__ = ["Explanation", "StoredResult", "StoredVariant", "Swing", "explain", "read_result"]
