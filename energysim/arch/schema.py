"""The shape of an architecture file: pydantic models at the YAML edge. ``loader`` turns them into ``ArchSpec``.

Quantities stay text here ("25.6 GB/s"): what they mean can depend on the clock or the access width, so the loader reads
them. Each may be written as text, or as a mapping that adds its uncertainty and its source:
``{value: 8 pJ/bit, low: 4 pJ/bit, high: 20 pJ/bit, source: "...", estimate: true}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, PositiveInt, Tag, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from energysim.errors import did_you_mean
from energysim.spec_files import SpecModel

DIMENSIONS = ("G", "N", "K", "C", "P", "Q", "R", "S", "D", "T")
ROLES = ("weights", "ifmap", "ofmap")
OP_CLASSES = ("conv", "depthwise", "linear", "matmul", "vector")


class Quantity(SpecModel):
    """A number with its unit, and optionally its range and source. ``estimate``: no public source states it."""

    value: str | float
    low: str | float | None = None
    high: str | float | None = None
    source: str | None = None
    estimate: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return {"value": data} if isinstance(data, str | int | float) and not isinstance(data, bool) else data

    @model_validator(mode="after")
    def _estimates_have_a_range(self) -> Quantity:
        if self.estimate and (self.low is None or self.high is None):
            message = "an estimate needs the keys 'low' and 'high'"
            raise PydanticCustomError("estimate", "{message}", {"message": message})
        return self


def _one_of(known: tuple[str, ...], what: str) -> Any:
    """A validator: the word must be one of ``known``, with a did-you-mean."""

    def check(word: Any) -> Any:
        if isinstance(word, str) and word in known:
            return word
        hint = (did_you_mean(str(word), known) if len(known[0]) > 1 else None) or f"one of {', '.join(known)}"
        raise PydanticCustomError("quantity", "{message}", {"message": f"{word!r} is no {what}", "hint": hint})

    return BeforeValidator(check)


Dim = Annotated[str, _one_of(DIMENSIONS, "dimension")]
RoleName = Annotated[str, _one_of(ROLES, "role of a tensor")]
OpClass = Annotated[str, _one_of(OP_CLASSES, "operator class")]
MemoryKind = Annotated[str, _one_of(("dram", "sram", "cache", "regfile"), "kind of memory")]
ComputeKind = Annotated[str, _one_of(("int", "float"), "kind of arithmetic")]


class ConstraintsModel(SpecModel):
    """What a mapping may do at a memory: loop factors that are fixed or bounded, and loop order from the inside."""

    fixed: dict[Dim, PositiveInt] = Field(default_factory=dict, description="loop bound here, exactly")
    at_most: dict[Dim, PositiveInt] = Field(default_factory=dict, description="loop bound here, at most")
    only: list[Dim] | None = Field(default=None, description="every other dimension is fixed to 1 here")
    innermost: list[Dim] = Field(default_factory=list, description="loop order, innermost first")


class ArrayConstraintsModel(SpecModel):
    """What may be spread over an array."""

    fixed: dict[Dim, PositiveInt] = Field(default_factory=dict)
    at_most: dict[Dim, PositiveInt] = Field(default_factory=dict)
    x: list[Dim] | None = Field(default=None, description="dimensions that may be spread over x; any if left out")
    y: list[Dim] | None = Field(default=None, description="dimensions that may be spread over y; any if left out")
    min_utilization: float = Field(default=0.0, ge=0.0, le=1.0)


class BandwidthModel(SpecModel):
    """Bandwidth of one instance: "25.6 GB/s" or "64 b/cycle". What is left out is unbounded."""

    read: Quantity | None = None
    write: Quantity | None = None
    shared: Quantity | None = Field(default=None, description="reads and writes together")


class MemoryEnergyModel(SpecModel):
    """Energy per action: "8 pJ/bit" or "32 pJ/access". What is left out comes from the estimator."""

    read: Quantity | None = None
    write: Quantity | None = None
    update: Quantity | None = Field(default=None, description="of a result arriving from below; like write if left out")


class MemoryModel(SpecModel):
    """One memory level."""

    memory: str = Field(description="its name")
    kind: MemoryKind
    keeps: list[RoleName] = Field(default_factory=list, description="tensors always kept here")
    may_bypass: list[RoleName] = Field(
        default_factory=list, description="tensors kept here or not, as the mapping likes"
    )
    capacity: Quantity | None = Field(default=None, description='"64 KiB" or "224 x 16 b"; unbounded if left out')
    access: Quantity | None = Field(default=None, description='width of one physical access, "64 b"')
    word_bits: PositiveInt | None = Field(default=None, description="fixed width of every word kept here")
    psum_bits: PositiveInt | None = Field(default=None, description="width of partial sums kept here")
    banks: PositiveInt = 1
    bandwidth: BandwidthModel = BandwidthModel()
    energy: MemoryEnergyModel = MemoryEnergyModel()
    leakage: Quantity | None = None
    multiple_buffering: float = Field(default=1.0, ge=1.0)
    technology: str | None = Field(default=None, description='type of a dram, "LPDDR4"')
    constraints: ConstraintsModel = ConstraintsModel()
    source: str | None = Field(default=None, description="where the numbers of this node come from")


class ArrayModel(SpecModel):
    """A spatial fan-out to x times y children."""

    array: str = Field(description="its name")
    x: PositiveInt = 1
    y: PositiveInt = 1
    multicast: bool = True
    reduction: bool = True
    link_transfers: bool = False
    constraints: ArrayConstraintsModel = ArrayConstraintsModel()
    source: str | None = None


class ComputeEnergyModel(SpecModel):
    """Energy of one multiply-accumulate, "0.3 pJ"."""

    mac: Quantity | None = None


class ComputeModel(SpecModel):
    """The compute units, below every memory and array."""

    compute: str = Field(description="its name")
    kind: ComputeKind = "int"
    bits: PositiveInt = Field(description="operand width that the unit is built for")
    macs_per_cycle: dict[PositiveInt, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="MACs per cycle by operand width in bits; 1 if left out"
    )
    energy: ComputeEnergyModel = ComputeEnergyModel()
    leakage: Quantity | None = None
    gates_zeros: list[RoleName] = Field(
        default_factory=list, description="operands whose zeros save the energy of the MAC (not its time)"
    )
    source: str | None = None


class EfficiencyModel(SpecModel):
    """What one operator class reaches of the peaks, and the overhead of one launch."""

    compute: Quantity = Quantity(value=1.0)
    bandwidth: Quantity = Quantity(value=1.0)
    launch_overhead: Quantity = Quantity(value="0 s")


_NODE_KEYS = ("memory", "array", "compute")


def _node_tag(node: Any) -> str | None:
    found = [key for key in _NODE_KEYS if isinstance(node, Mapping) and key in node]
    return f"<{found[0]}>" if len(found) == 1 else None


NodeModel = Annotated[
    Annotated[MemoryModel, Tag("<memory>")]
    | Annotated[ArrayModel, Tag("<array>")]
    | Annotated[ComputeModel, Tag("<compute>")],
    Discriminator(
        _node_tag,
        custom_error_type="quantity",
        custom_error_message="{message}",
        custom_error_context={
            "message": "a node has exactly one of the keys 'memory', 'array' and 'compute'",
            "hint": "for example '- memory: DRAM'",
        },
    ),
]


class ArchModel(SpecModel):
    """An architecture: nodes from the outermost memory to the compute units."""

    version: Annotated[Literal[1], WithJsonSchema({"const": 1})]
    name: str = Field(min_length=1)
    description: str = ""
    source: str = ""
    technology: Quantity | None = Field(default=None, description='process node, "45 nm"')
    clock: Quantity
    word_bits: PositiveInt = 8
    nodes: list[NodeModel] = Field(min_length=2)
    efficiency: dict[OpClass, EfficiencyModel] = Field(default_factory=dict)
    idle_power: Quantity | None = None
    not_modelled: list[str] = Field(default_factory=list)
    assumptions: list[str] = Field(default_factory=list)


def json_schema() -> dict[str, Any]:
    """A JSON Schema of architecture files, for editors. Quantities may be plain text or mappings."""
    schema: dict[str, Any] = ArchModel.model_json_schema()
    schema["title"] = "energysim architecture"
    full = schema["$defs"]["Quantity"]
    schema["$defs"]["Quantity"] = {"anyOf": [{"type": "string"}, {"type": "number"}, full]}
    return schema


def model_of(node: BaseModel) -> str:
    """The key that says what a node is: "memory", "array" or "compute"."""
    return next(key for key in _NODE_KEYS if key in type(node).model_fields)
