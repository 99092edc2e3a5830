"""The architectures and layers on which Timeloop's own mapper was run, in our own values.

Energies are Accelergy's for these designs (pJ per access); best EDPs are what timeloop-mapper found (pJ x cycles), the
least over all its runs. Words: 16 bits on simple3, 8 bits on eyeriss with 16-bit partial sums in the PEs.
"""

from __future__ import annotations

from energysim.arch.spec import ArchSpec, Array, Compute, Constraints, Memory
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.cost_model import AccessCost, ActionCost, CostModel

ALL = frozenset({"weights", "ifmap", "ofmap"})
ONE = (("N", 1), ("P", 1), ("Q", 1))


def simple3() -> tuple[ArchSpec, CostModel]:
    nodes = (
        Memory("DRAM", "dram", ALL, word_bits=16),
        Memory("GLB", "sram", frozenset(), ALL, capacity_bits=16384 * 64, word_bits=16),
        Array("PE", 8, 8),
        Memory("RF", "regfile", frozenset(), ALL, capacity_bits=64 * 16, word_bits=16),
        Compute("MAC", "int", 16),
    )
    leak = 0.00535305 + 64 * 0.00187874
    accesses = (_cost(512, 512, 4), _cost(32.3778, 26.1569, 4), (), _cost(1.41474, 1.23255, 1), ())
    return ArchSpec("simple3", nodes, 1e9), CostModel(accesses, 4.14366, leak)


def eyeriss() -> tuple[ArchSpec, CostModel]:
    """12 x 14 PEs, row stationary by constraints, a scratchpad per tensor in each PE."""
    column = Constraints(fixed=(("N", 1), ("C", 1), ("P", 1), ("R", 1), ("S", 1)), x_dims=frozenset("NCPRSQM") | {"G"})
    row = Constraints(fixed=(("N", 1), ("P", 1), ("Q", 1), ("R", 1)), y_dims=frozenset("NPQRSCM") | {"G"})
    only = {name: frozenset({name}) for name in ALL}
    nodes = (
        Memory("DRAM", "dram", ALL, word_bits=8),
        Memory(
            "GLB",
            "sram",
            frozenset({"ifmap", "ofmap"}),
            capacity_bits=16384 * 64,
            word_bits=8,
            read_bandwidth=16 * 8.0,
            write_bandwidth=16 * 8.0,
        ),
        Array("column", 14, 1, constraints=column),
        Array("PE", 1, 12, constraints=row),
        _pad("ifmap_spad", only["ifmap"], 12 * 16, 8, (("M", 1), ("C", 1), ("R", 1), ("S", 1)), ()),
        _pad("weights_spad", only["weights"], 192 * 16, 8, (("M", 1), ("S", 1)), tuple("NMPQSCR")),
        _pad("psum_spad", only["ofmap"], 16 * 16, 16, (("C", 1), ("R", 1), ("S", 1)), tuple("NCPQRSM")),
        Compute("MAC", "int", 8),
    )
    leak = 0.00535305 + 168 * (0.000765545 + 0.00419872 + 0.00082906)
    accesses = (
        _cost(512, 512, 8),
        _cost(32.3778, 26.1569, 8),
        (),
        (),
        _cost(0.39895, 0.349579, 2),
        _cost(3.81421, 3.63202, 2),
        _cost(0.492707, 0.430916, 1),
        (),
    )
    return ArchSpec("eyeriss", nodes, 1e9), CostModel(accesses, 1.13555, leak)


def _cost(read: float, write: float, block: int) -> tuple[AccessCost, ...]:
    one = AccessCost(ActionCost(read, block), ActionCost(write, block), ActionCost(write, block))
    return (one, one, one)


def _pad(
    name: str, keep: frozenset[str], bits: int, width: int, fixed: tuple[tuple[str, int], ...], order: tuple[str, ...]
) -> Memory:
    return Memory(
        name,
        "regfile",
        keep,
        capacity_bits=bits,
        word_bits=width,
        read_bandwidth=2.0 * width,
        write_bandwidth=2.0 * width,
        constraints=Constraints(fixed=(*ONE, *fixed), innermost=order),
    )


def layer(m: int, c: int, p: int, r: int, stride: int = 1, groups: int = 1) -> TensorProblem:
    """Square convolution in Timeloop's dimensions (M ofmap channels, C ifmap channels of a group); no padding."""

    def ranks(*names: str) -> tuple[Rank, ...]:
        return tuple(Rank(((name, 1),)) for name in names)

    def pixel(out: str, kernel: str) -> Rank:
        return Rank(((out, stride), (kernel, 1)))

    group = ("G",) if groups > 1 else ()
    dims = [("C", c), ("M", m), ("R", r), ("S", r), ("N", 1), ("P", p), ("Q", p)]
    return TensorProblem(
        tuple(dims + ([("G", groups)] if groups > 1 else [])),
        (
            Tensor("weights", Role.WEIGHTS, ranks(*group, "C", "M", "R", "S")),
            Tensor("ifmap", Role.IFMAP, (*ranks(*group, "N", "C"), pixel("P", "R"), pixel("Q", "S"))),
            Tensor("ofmap", Role.OFMAP, ranks(*group, "N", "M", "Q", "P")),
        ),
    )


LAYERS = {
    "lc_conv1": (16, 3, 16, 3, 2),
    "lc_conv2": (32, 16, 8, 3, 2),
    "lc_conv3": (64, 32, 8, 3),
    "lc_conv4": (128, 64, 8, 3),
    "lc_conv5": (128, 128, 8, 3),
    "lc_fc": (100, 128, 1, 1),
    "mbv1_dw2": (1, 1, 112, 3, 1, 32),
    "mbv1_dw12": (1, 1, 14, 3, 1, 512),
    "r18c_conv1": (64, 3, 32, 3),
    "r18c_l1": (64, 64, 32, 3),
    "r18c_l2a": (128, 64, 16, 3, 2),
    "r18c_l2b": (128, 128, 16, 3),
    "r18c_l2s": (128, 64, 16, 1, 2),
    "r18c_l3a": (256, 128, 8, 3, 2),
    "r18c_l3b": (256, 256, 8, 3),
    "r18c_l3s": (256, 128, 8, 1, 2),
    "r18c_l4a": (512, 256, 4, 3, 2),
    "r18c_l4b": (512, 512, 4, 3),
    "r18c_l4s": (512, 256, 4, 1, 2),
    "r18c_fc": (100, 512, 1, 1),
    "r18i_conv1": (64, 3, 112, 7, 2),
    "r18i_l1": (64, 64, 56, 3),
    "r18i_l2a": (128, 64, 28, 3, 2),
    "r18i_l2b": (128, 128, 28, 3),
    "r18i_l2s": (128, 64, 28, 1, 2),
    "r18i_l3a": (256, 128, 14, 3, 2),
    "r18i_l3b": (256, 256, 14, 3),
    "r18i_l4a": (512, 256, 7, 3, 2),
    "r18i_l4b": (512, 512, 7, 3),
}

BEST_EDP = {
    "simple3": {
        "lc_conv1": 3441009738.24,
        "lc_conv2": 53571100538.9,
        "lc_conv3": 349149981819,
        "lc_conv4": 4.44572331098e12,
        "lc_conv5": 5.05150455074e13,
        "lc_fc": 569383484.8,
        "mbv1_dw12": 674496444948,
        "mbv1_dw2": 9.66568254898e12,
        "r18c_conv1": 770209203825,
        "r18c_fc": 8976167078.4,
        "r18c_l1": 2.44535927001e14,
        "r18c_l2a": 6.48083929301e13,
        "r18c_l2b": 2.29748331237e14,
        "r18c_l2s": 1.08178337726e12,
        "r18c_l3a": 9.95134659084e13,
        "r18c_l3b": 2.80476936261e14,
        "r18c_l3s": 1.04620386812e12,
        "r18c_l4a": 1.08778256686e14,
        "r18c_l4b": 3.87680103371e14,
        "r18c_l4s": 1.52756387381e12,
        "r18i_conv1": 2.44581417959e15,
        "r18i_l1": 3.26865500716e15,
        "r18i_l2a": 7.98619802066e14,
        "r18i_l2b": 2.34225417825e15,
        "r18i_l2s": 1.02743770882e13,
        "r18i_l3a": 7.37080964289e14,
        "r18i_l3b": 2.74128869475e15,
        "r18i_l4a": 7.494903836e14,
        "r18i_l4b": 2.72929602527e15,
    },
    "eyeriss": {
        "lc_conv1": 5329939334.72,
        "lc_conv2": 18012035850.2,
        "lc_conv3": 105514300539,
        "lc_conv4": 1.29119782207e12,
        "lc_conv5": 1.07936584042e13,
        "lc_fc": 116862222.08,
        "mbv1_dw12": 564597402002,
        "mbv1_dw2": 5.86599273709e12,
        "r18c_conv1": 541580330189,
        "r18c_fc": 1859201008.64,
        "r18c_l1": 2.25609921342e14,
        "r18c_l2a": 2.99926252428e13,
        "r18c_l2b": 8.77585266259e13,
        "r18c_l2s": 591124938752,
        "r18c_l3a": 5.1287793276e13,
        "r18c_l3b": 2.11303245774e14,
        "r18c_l3s": 1.08506954269e12,
        "r18c_l4a": 8.02803625279e13,
        "r18c_l4b": 1.27308932941e14,
        "r18c_l4s": 720947712819,
        "r18i_conv1": 1.18853765402e15,
        "r18i_l1": 2.34885505379e15,
        "r18i_l2a": 2.42666492048e14,
        "r18i_l2b": 6.55583952048e14,
        "r18i_l2s": 2.96206264639e12,
        "r18i_l3a": 3.38462451792e14,
        "r18i_l3b": 8.33140454045e14,
        "r18i_l4a": 2.72743511948e14,
        "r18i_l4b": 1.23213002403e15,
    },
}
