"""The `problem` key: dimensions, coefficients and projections into a TensorProblem."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.engines.timeloop.yaml_nodes import Cursor
from energysim.errors import did_you_mean
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem

DEFAULT_WORD_BITS = 16
_INPUT_WORDS = ("input", "ifmap", "activation", "feature")
_WEIGHT_WORDS = ("weight", "filter", "kernel")
_CNN_NAMES = ("cnn-layer", "cnn_layer")
_OUTER_KEYS = ("version", "shape", "instance")


@dataclass(frozen=True)
class Shape:
    """Names only: dimensions, coefficients with their defaults, and (name, ranks of (dim, coefficient), is_output)."""

    dims: tuple[str, ...]
    coefficients: dict[str, int]
    data_spaces: tuple[tuple[str, tuple[tuple[tuple[str, str | int], ...], ...], bool], ...]


# The convolution that Timeloop knows by name: K is its output channel, P goes with R and Q with S.
_CNN = Shape(
    dims=("R", "S", "P", "Q", "C", "K", "N"),
    coefficients={"Wstride": 1, "Hstride": 1, "Wdilation": 1, "Hdilation": 1},
    data_spaces=(
        ("Weights", ((("C", 1),), (("K", 1),), (("R", 1),), (("S", 1),)), False),
        (
            "Inputs",
            (
                (("N", 1),),
                (("C", 1),),
                (("R", "Wdilation"), ("P", "Wstride")),
                (("S", "Hdilation"), ("Q", "Hstride")),
            ),
            False,
        ),
        ("Outputs", ((("N", 1),), (("K", 1),), (("Q", 1),), (("P", 1),)), True),
    ),
)


def read_problem(problem: Cursor, warnings: list[str]) -> TensorProblem:
    """The problem with bounds and coefficients filled in. Ranks have no padding (``extent`` None, ``offset`` 0).

    Raises SpecError for a missing bound, an unknown dimension or coefficient, and any number of outputs but one.
    """
    shape = _shape(problem.need("shape"))
    numbers = _instance(problem, shape, warnings)
    dims = tuple((dim, numbers[dim]) for dim in shape.dims)
    outputs = [name for name, _, is_output in shape.data_spaces if is_output]
    if len(outputs) != 1:
        problem.need("shape").fail(
            f"{len(outputs)} data spaces are read_write: {', '.join(outputs) or 'none'}",
            hint="exactly one data space, the result, has read_write: true",
        )
    roles = _roles(shape)
    tensors = []
    for name, projection, _ in shape.data_spaces:
        ranks = tuple(
            Rank(tuple((dim, numbers[c] if isinstance(c, str) else c) for dim, c in terms)) for terms in projection
        )
        tensors.append(Tensor(name, roles[name], ranks, DEFAULT_WORD_BITS, roles[name] is Role.WEIGHTS))
    return TensorProblem(dims, tuple(tensors))


def _roles(shape: Shape) -> dict[str, Role]:
    """An input with a compound rank or a telling name is the ifmap, the others are weights; of two plain operands
    (a matmul) the first is the ifmap unless a name says which one holds the weights."""
    inputs = [(name, ranks) for name, ranks, is_output in shape.data_spaces if not is_output]
    ifmaps = {
        name
        for name, ranks in inputs
        if any(len(terms) > 1 for terms in ranks) or any(word in name.lower() for word in _INPUT_WORDS)
    }
    if not ifmaps:
        weights = {name for name, _ in inputs if any(word in name.lower() for word in _WEIGHT_WORDS)}
        ifmaps = {name for name, _ in inputs if name not in weights} if weights else {name for name, _ in inputs[:1]}
    outputs = {name: Role.OFMAP for name, _, is_output in shape.data_spaces if is_output}
    return outputs | {name: Role.IFMAP if name in ifmaps else Role.WEIGHTS for name, _ in inputs}


def _shape(shape: Cursor) -> Shape:
    if not shape.is_map:
        name = shape.text()
        if name in _CNN_NAMES:
            return _CNN
        hint = did_you_mean(name, _CNN_NAMES) or "write the shape out: dimensions, coefficients, data_spaces"
        shape.fail(f"no built-in problem shape is called {name!r}", hint=hint)
    if "flatten" in shape:
        shape.at("flatten").fail("flattened dimensions are not supported", hint="write the flat dimension directly")
    shape.only(("name", "version", "dimensions", "coefficients", "data_spaces"))
    dims = tuple(shape.need("dimensions").names())
    for dim in dims:
        if dims.count(dim) > 1:
            shape.need("dimensions").fail(f"the dimension {dim!r} is listed twice")
    coefficients: dict[str, int] = {}
    listed = shape.get("coefficients")
    for item in listed or ():
        item.only(("name", "default"))
        default = item.get("default")
        coefficients[item.need("name").text()] = 1 if default is None else default.integer(minimum=0)
    spaces = tuple(_data_space(item, dims, coefficients) for item in shape.need("data_spaces"))
    return Shape(dims, coefficients, spaces)


def _data_space(
    space: Cursor, dims: tuple[str, ...], coefficients: dict[str, int]
) -> tuple[str, tuple[tuple[tuple[str, str | int], ...], ...], bool]:
    space.only(("name", "projection", "read_write", "read-write", "ranks"))
    projection = space.need("projection")
    ranks = tuple(_rank(rank, dims, coefficients) for rank in projection)
    read_write = space.get("read_write", "read-write")
    return space.need("name").text(), ranks, read_write is not None and read_write.boolean()


def _rank(rank: Cursor, dims: tuple[str, ...], coefficients: dict[str, int]) -> tuple[tuple[str, str | int], ...]:
    """One axis: a name, a text such as ``P*Wstride + R*Wdilation``, or a list of terms [dim] or [dim, coefficient]."""
    terms: list[list[str]]
    if rank.is_list:
        terms = [term.names() for term in rank]
    else:
        terms = [[factor.strip() for factor in part.split("*")] for part in rank.text().split("+")]
    result: list[tuple[str, str | int]] = []
    for term in terms:
        named = [word for word in term if word in dims]
        others = [word for word in term if word not in dims]
        if len(named) != 1 or len(others) > 1:
            unknown = next((word for word in others if word not in coefficients and not word.isdigit()), None)
            if unknown is not None:
                rank.fail(
                    f"unknown dimension {unknown!r}", hint=did_you_mean(unknown, dims) or f"known: {', '.join(dims)}"
                )
            rank.fail(f"a term of a projection is one dimension times one coefficient, found {'*'.join(term)!r}")
        if not others:
            result.append((named[0], 1))
        elif others[0].isdigit():
            result.append((named[0], int(others[0])))
        elif others[0] in coefficients:
            result.append((named[0], others[0]))
        else:
            known = list(coefficients)
            hint = did_you_mean(others[0], known) or f"coefficients: {', '.join(known) or 'none'}"
            rank.fail(f"unknown coefficient {others[0]!r}", hint=hint)
    return tuple(result)


def _instance(problem: Cursor, shape: Shape, warnings: list[str]) -> dict[str, int]:
    """Bounds and coefficients by name. Files before v0.4 put them beside `shape` instead of under `instance`."""
    instance = problem.get("instance")
    skipped: tuple[str, ...] = ("version", "name", "densities")
    if instance is None:
        instance, skipped = problem, (*skipped, *_OUTER_KEYS)
    else:
        problem.only((*_OUTER_KEYS, "name"))
    known = (*shape.dims, *shape.coefficients)
    numbers = dict(shape.coefficients)
    densities = instance.get("densities")
    if densities is not None and densities.value:
        densities.fail("sparse data (densities) cannot be represented", hint="remove the densities to count dense data")
    for key in instance.keys():  # noqa: SIM118 - a cursor is not a dict
        if key in skipped:
            continue
        if key in known:
            numbers[key] = instance.at(key).integer(minimum=0 if key in shape.coefficients else 1)
            continue
        lowered = next((name for name in known if name.lower() == key.lower()), None)
        hint = f"did you mean {lowered!r}?" if lowered else did_you_mean(key, known)
        if hint is not None:
            instance.at(key).fail(f"unknown dimension or coefficient {key!r}", hint=hint)
        warnings.append(f"{instance.at(key).where}: {key!r} means nothing to this problem shape: ignored")
    for dim in shape.dims:
        if dim not in numbers:
            instance.fail(f"no bound is given for the dimension {dim!r}")
    return numbers
