"""The texts of an export for Timeloop that are the same in every one."""

from __future__ import annotations

RUN = """\
#!/bin/sh
# usage: ./run.sh [model|mapper] [CASE...]     (default: model, all cases)
# timeloop-model and timeloop-mapper must be on PATH. Results: CASE/model, CASE/mapper.
set -eu
cd "$(dirname "$0")"
what=${1:-model}
[ $# -gt 0 ] && shift
case $what in model | mapper) ;; *) sed -n 2,3p "$0" >&2; exit 2 ;; esac
command -v "timeloop-$what" > /dev/null || { echo "timeloop-$what is not on PATH" >&2; exit 2; }
[ $# -gt 0 ] || set -- [0-9]*_*
# Statistics of everything, also of what moves nothing; no forwarding of words between neighbours, which energysim's
# devices do not have.
export TIMELOOP_HIDE_INCONSEQUENTIAL_STATS=0 TIMELOOP_DISABLE_LINK_TRANSFERS=1
for name; do
    out=$name/$what
    mkdir -p "$out"
    arch=$name/architecture.yaml
    set -- "$name/problem.yaml" "$name/ERT.yaml" "$name/ART.yaml"
    case $what in
        model) set -- "$@" "$name/mapping.yaml" ;;
        mapper)
            set -- "$@" "$name/constraints.yaml" mapper.yaml
            [ ! -f "$name/architecture.mapper.yaml" ] || arch=$name/architecture.mapper.yaml
            ;;
    esac
    if ! "timeloop-$what" "$arch" "$@" -o "$out" > "$out/log.txt" 2>&1; then
        echo "$name: timeloop-$what failed, see $out/log.txt" >&2
        exit 1
    fi
    # A mapper that finds nothing ends well, with empty files.
    if [ ! -s "$out/timeloop-$what.stats.txt" ]; then
        echo "$name: timeloop-$what found no mapping, see $out/log.txt" >&2
        exit 1
    fi
    echo "$name: $(grep -c . "$out/timeloop-$what.stats.txt") lines in $out/timeloop-$what.stats.txt"
done
"""

README = """\
# A network for Timeloop

Written by `energysim export timeloop`. `./run.sh` evaluates every mapping with timeloop-model, `./run.sh mapper` lets
timeloop-mapper search in the same space; both take names of cases, as in `./run.sh model 1_conv1`.

One directory per distinct problem (a layer, or one tile of it). `index.json` says which layers it stands for and how
often each runs it (`repeats`), and what energysim expects of the mapping (`expected`: words and energy of all
instances; Timeloop's statistics are per instance). A layer of a network is the sum of its cases times their repeats.

| file | content |
|---|---|
| `architecture.yaml` | the native tree that the programs read; a dummy level stands at each fan-out |
| `architecture.mapper.yaml` | for the mapper, where its constraints need other levels (see below) |
| `architecture.v4.yaml` | the same as nodes, for Timeloop's Python front end |
| `components.yaml` | what the classes of components consist of, for Accelergy |
| `problem.yaml` | shape and bounds |
| `mapping.yaml` | the best mapping that energysim found; permutations are innermost first |
| `constraints.yaml` | what a mapping may do on this device in this variant: factors, orders, tensors kept |
| `ERT.yaml`, `ART.yaml` | energysim's energy per action (pJ); areas are not modelled (0) |
| `mapper.yaml` | settings of the mapper (its metric is the objective of the export) |

Where counts or energies differ for a reason:

- Padding is moved as words, and tiles are bounding boxes: problems have no padding, and the export's mappings are
  searched in that convention (`--convention timeloop`).
- Timeloop walks two iterations of every loop and scales the second. Where two loops move one axis of the ifmap it then
  counts other words than a walk of all; `TIMELOOP_DISABLE_TEMPORAL_EXTRAPOLATION=1` walks all.
- `architecture.mapper.yaml`: where the axes of an array take different dimensions, each axis is a level of its own for
  the mapper, because a level of Timeloop has no constraint that says so. It then does not see words that rows and
  columns share along a diagonal, and counts more reads than for the same mapping in `architecture.yaml`.
- Leakage of the compute units is in the ERT but not in Timeloop's total.
- `share_from_dram`: the variant keeps a part of these words on chip; Timeloop moves all of them.
- `macs_per_cycle` other than 1: a compute unit of Timeloop makes one MAC per cycle, so its cycle here is that
  much shorter than the device's, and bandwidths are stated for it.
- Layers without multiply-accumulates (`not_exported`) are no problems for Timeloop: their words are streamed.
"""
