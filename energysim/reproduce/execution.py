"""Claims that an execution decides: tiles with their full overlap change no result."""

from __future__ import annotations

from typing import Literal

from energysim.reproduce.check import Check, Claimed, Context
from energysim.reproduce.evidence import Evidence, Sample
from energysim.workload import resolve_workload


class ExactTiles(Check):
    """The network cut into tiles, executed on whole numbers, which float64 holds exactly: every feature map on which it
    is exact, and every answer, has to be that of the uncut network bit for bit."""

    kind: Literal["exact tiles"]
    workload: str
    tiles: tuple[int, ...]

    def judge(self, claimed: Claimed, context: Context) -> Evidence:
        from energysim.nn.executor.verify import prepare_exactly, verify
        from energysim.schedule.variants import make_schedule

        found = resolve_workload(self.workload)
        program = prepare_exactly(found.model(), found.inputs)
        samples, maps = [], 0
        for tile in self.tiles:
            schedule = make_schedule(program.graph, "tiled", bits=8, tile=(tile, tile))
            result = verify(program, schedule)
            maps += result.exact_maps
            text = "no bit differs" if result.passed else f"{', '.join(result.wrong)} differ"
            samples.append(Sample((f"tile {tile}x{tile}",), text, result.passed))
        command = f"energysim verify {self.workload} --variant tiled --tile {self.tiles[0]}"
        reason = f"{maps} feature maps compared bit for bit, in {len(self.tiles)} tile sizes"
        return Evidence(tuple(samples), (reason,), command)
