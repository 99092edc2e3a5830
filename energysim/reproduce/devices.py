"""Claims about time and energy of an inference, which name no device: simulated on all that are described."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from energysim.reproduce.check import Check, Claimed, Context, graph_of
from energysim.reproduce.evidence import Evidence, Judgement, Sample, compared, span, with_unit
from energysim.reproduce.ledger import Verdict
from energysim.reproduce.printed import parse_printed, shown
from energysim.spec_files import SpecModel, list_specs
from energysim.sweep import Point
from energysim.train.summary import JOULES_PER_KWH

THIS_CPU = "PyTorch on the CPU of this machine"
_QUICK = ("jetson_nano",)
_MILLION = 1e6


def devices(context: Context) -> tuple[str, ...]:
    """Those that device-dependent claims are tried on."""
    return _QUICK if context.quick else list_specs("arch_specs")


def _points(workloads: tuple[str | None, ...], context: Context) -> Iterator[Point]:
    for arch in devices(context):
        yield from (Point(workload, arch) for workload in workloads if workload is not None)


class InferenceTime(Check):
    """Milliseconds per image (batch 1), or with ``over`` the ratio of two networks' times."""

    kind: Literal["inference time"]
    workload: str
    over: str | None = None

    def points(self, context: Context) -> Iterator[Point]:
        return _points((self.workload, self.over), context)

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        printed = parse_printed(claimed.text)

        def sample(where: str, seconds: float, other: float | None) -> Sample:
            value = seconds * 1e3 if other is None else seconds / other
            return compared(printed, value, claimed.unit, (where,))

        samples, reasons = [], ["the write-up names no device"]
        if context.measured:
            other = None if self.over is None else measured_s(self.over)
            samples.append(sample(THIS_CPU, measured_s(self.workload), other))
            reasons.append(f"{THIS_CPU}: {samples[0].text}")
        for arch in devices(context):
            mine = context.simulations.of(Point(self.workload, arch))
            other_run = None if self.over is None else context.simulations.of(Point(self.over, arch))
            if mine is not None and (self.over is None or other_run is not None):
                samples.append(sample(arch, mine.latency_s, None if other_run is None else other_run.latency_s))
        reasons.append(f"simulated: {span(samples[1:] if context.measured else samples)}")
        return Evidence(tuple(samples), tuple(reasons))


class InferenceEnergy(Check):
    """kWh per million inferences, or with ``over`` the ratio of two networks' energies. ``time``: the claim of the time
    of one inference, for the power that both together mean."""

    kind: Literal["inference energy"]
    workload: str
    over: str | None = None
    time: str | None = None

    def points(self, context: Context) -> Iterator[Point]:
        return _points((self.workload, self.over), context)

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        printed = parse_printed(claimed.text)
        samples, reasons = [], []
        if self.over is not None:
            ratio = graph_of(self.workload).macs / graph_of(self.over).macs
            samples.append(compared(printed, ratio, claimed.unit, ("energy is taken as proportional to MACs",)))
        for arch in devices(context):
            mine = context.simulations.of(Point(self.workload, arch))
            if mine is None:
                continue
            value = mine.energy_pj * 1e-12 * _MILLION / JOULES_PER_KWH
            if self.over is not None:
                other = context.simulations.of(Point(self.over, arch))
                if other is None:
                    continue
                value = mine.energy_pj / other.energy_pj
            samples.append(compared(printed, value, claimed.unit, (arch,)))
        if self.over is not None:
            reasons.append(f"simulated: {span(samples[1:])}; energy is not in proportion to MACs")
        else:
            reasons.append(f"simulated: {span(samples)}")
        if self.time is not None:
            joules = printed.value * JOULES_PER_KWH / _MILLION
            watts = joules / (claimed.other(self.time) * 1e-3)
            reasons.append(f"{shown(joules * 1e3)} mJ in the claimed time is {shown(watts)} W")
        return Evidence(tuple(samples), tuple(reasons))


class EnergyFromKwh(Check):
    """Millijoules per inference that a claim of kWh per million inferences means."""

    kind: Literal["energy from kWh"]
    of: str

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        value = claimed.other(self.of) * JOULES_PER_KWH / _MILLION * 1e3
        reasons = (f"{claimed.others[self.of]} kWh per million inferences are {shown(value)} mJ each",)
        return Evidence((compared(parse_printed(claimed.text), value, claimed.unit),), reasons)


class Top1(SpecModel):
    """A network, and the claim that says its top-1."""

    workload: str
    accuracy: str

    def per_mmac(self, claimed: Claimed) -> float:
        return claimed.other(self.accuracy) / self.mmacs

    @property
    def mmacs(self) -> float:
        return graph_of(self.workload).macs / 1e6


class PointsPerMmac(Check):
    """Points of top-1 per million MACs, from the claimed top-1; with ``over``, the ratio to another network's."""

    kind: Literal["points per MMAC"]
    of: Top1
    over: Top1 | None = None

    def judge(self, claimed: Claimed, context: Context) -> Judgement:
        printed, value = parse_printed(claimed.text), self.of.per_mmac(claimed)
        if self.over is None:
            low, high = (bound * self.of.mmacs for bound in (printed.low, printed.high))
            needed = f"top-1 is {low:.2f} to {high:.2f} %"
            reason = f"the claimed {shown(claimed.other(self.of.accuracy))} % over {self.of.mmacs:.2f} MMACs"
        else:
            reason = f"{shown(value)} over {shown(self.over.per_mmac(claimed))} points per MMAC"
            value /= self.over.per_mmac(claimed)
            needed = "both top-1 are as claimed"
        computed = with_unit(shown(value), claimed.unit)
        if printed.holds(value):
            return Judgement(computed, Verdict.ONLY_IF, (needed,), reason)
        return Judgement(computed, Verdict.NOT, (), f"{reason}; the claim needs that {needed}")


@lru_cache(maxsize=32)
def measured_s(workload: str) -> float:
    """Median seconds of one inference in PyTorch on this machine, batch 1."""
    from energysim.train.runs import inference_seconds
    from energysim.workload import resolve_workload

    found = resolve_workload(workload)
    (shape,) = found.input_shapes
    return inference_seconds(found.model().eval(), shape[1:])
