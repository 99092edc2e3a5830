"""Which constants a simulated result rests on, and whether the difference of two results outlasts their ranges."""

from energysim.sensitivity.change import Change
from energysim.sensitivity.constants import Swing
from energysim.sensitivity.device import DeviceResult, read_result, with_device
from energysim.sensitivity.difference import Difference, LayerChange, difference
from energysim.sensitivity.explain import Explanation, explain

__all__ = [
    "Change",
    "DeviceResult",
    "Difference",
    "Explanation",
    "LayerChange",
    "Swing",
    "difference",
    "explain",
    "read_result",
    "with_device",
]
