"""Which constants a simulated result rests on: the share, the swing over low and high, and the source of each."""

from energysim.sensitivity.constants import Swing
from energysim.sensitivity.device import DeviceResult, read_result, with_device
from energysim.sensitivity.explain import Explanation, explain

__all__ = ["DeviceResult", "Explanation", "Swing", "explain", "read_result", "with_device"]
