"""The Python API: simulate a module, look at the layers in pandas, change the device."""

from __future__ import annotations

from own_model import build

import energysim

model = build()
for arch in ("gemmini", "eyeriss", "jetson_nano"):
    result = energysim.simulate(model, arch, input="1x3x96x96", objective="edp")
    cost = result.variants[0]
    print(
        f"{arch:12} {cost.energy.value / 1e6:8.1f} uJ ({cost.energy.low / 1e6:.1f} to {cost.energy.high / 1e6:.1f})  "
        f"{cost.latency_s * 1e3:.3f} ms  {cost.dram_bytes / 1024:.1f} KiB of DRAM traffic"
    )

table = result.to_pandas()
print(table[["name", "op", "macs", "energy_pj", "latency_s", "bottleneck"]].to_string(index=False))
