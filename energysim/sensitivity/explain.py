"""One stored result, explained: its intervals and the constants behind them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from energysim.cost.results import EnergyPj
from energysim.energy import estimate
from energysim.sensitivity.constants import Swing, energy_swings, latency_swings
from energysim.sensitivity.device import DeviceResult

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Explanation:
    """Totals with all constants at their low and high values, and one swing per constant, widest first."""

    workload: str
    arch: str
    variant: str
    energy: EnergyPj
    latency_s: float
    latency_interval_s: tuple[float, float]
    energy_swings: tuple[Swing, ...]
    latency_swings: tuple[Swing, ...]

    def to_dict(self) -> dict[str, Any]:
        """Energies in pJ, latencies in s; constants in their own unit."""
        return {
            "workload": self.workload,
            "arch": self.arch,
            "variant": self.variant,
            "energy_pj": asdict(self.energy),
            "latency_s": {
                "value": self.latency_s,
                "low": self.latency_interval_s[0],
                "high": self.latency_interval_s[1],
            },
            "energy": [asdict(swing) for swing in self.energy_swings],
            "latency": [asdict(swing) for swing in self.latency_swings],
        }

    def to_pandas(self) -> pd.DataFrame:
        """One row per constant and ``total`` ("energy_pj" or "latency_s") that it moves, widest swing first."""
        import pandas as pd

        both = [("energy_pj", swing) for swing in self.energy_swings]
        both += [("latency_s", swing) for swing in self.latency_swings]
        return pd.DataFrame(
            {
                "total": total,
                "constant": swing.name,
                "share": swing.share,
                "value": swing.constant.value,
                "low": swing.constant.low,
                "high": swing.constant.high,
                "unit": swing.unit,
                "at_low": swing.at_low,
                "at_high": swing.at_high,
                "estimate": swing.constant.estimate,
                "source": swing.constant.source,
            }
            for total, swing in both
        )

    def _repr_html_(self) -> str:
        table: str = self.to_pandas().to_html(index=False, float_format="{:.4g}".format)
        return f"<p><b>{escape(f'{self.workload} on {self.arch}, {self.variant}')}</b></p>{table}"


def explain(stored: DeviceResult, variant: str | None = None) -> Explanation:
    """The constants that the result rests on. Raises NotFoundError for a variant that it does not have."""
    result, arch = stored.result, stored.arch
    chosen = result.variant(variant)
    return Explanation(
        workload=result.workload,
        arch=result.arch,
        variant=chosen.variant,
        energy=chosen.energy,
        latency_s=chosen.latency_s,
        latency_interval_s=chosen.latency_interval_s,
        energy_swings=energy_swings(chosen, estimate(arch, result.estimator), result.bits),
        latency_swings=latency_swings(chosen, arch),
    )
