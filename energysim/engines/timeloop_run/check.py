"""One mapping through timeloop-model beside the native engine: counts and energies, with proven reasons."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.arch.spec import ArchSpec
from energysim.energy import ActionEnergies
from energysim.engines.differences import ENERGY, Difference, Measured, Place
from energysim.engines.timeloop.writer import actions_of
from energysim.engines.timeloop_run.explain import explained
from energysim.engines.timeloop_run.inputs import RunInput, model_input
from energysim.engines.timeloop_run.read_back import counts_of
from energysim.engines.timeloop_run.runs import run_model
from energysim.graph.problem import TensorProblem
from energysim.mapping.counts import Convention, Counts
from energysim.mapping.nest import Mapping

LEAKAGE = "leakage in use (pJ)"


@dataclass(frozen=True)
class TimeloopCheck:
    """A run to compare with: what it said, and what it was given."""

    measured: Measured
    _given: RunInput

    def explain(
        self, problem: TensorProblem, arch: ArchSpec, mapping: Mapping, ours: Counts, convention: Convention
    ) -> list[Difference]:
        """The differences from native counts under ``convention``, with reasons where they are proven."""
        return explained(problem, mapping, self._given, arch, ours, self.measured.counts, convention)


def check(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, energies: ActionEnergies) -> TimeloopCheck:
    """Runs timeloop-model with these energies as its ERT. Raises as :meth:`TimeloopEngine.evaluate`."""
    bare = model_input(problem, arch, mapping)
    given = model_input(problem, arch, mapping, actions_of(bare.layout, energies))
    result = run_model(given)
    energy_pj = {
        Place(level.name, space.name, ENERGY): space.energy_pj for level in result.levels for space in level.spaces
    }
    energy_pj[Place("", "", ENERGY)] = result.compute_energy_pj
    energy_pj |= {Place(name, "", LEAKAGE): leakage for name, leakage in result.leakage_pj.items()}
    return TimeloopCheck(Measured(counts_of(result, arch, given.macs_per_cycle), energy_pj), given)
