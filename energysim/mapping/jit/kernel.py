"""Functions that are compiled when they are first called."""

from __future__ import annotations

import ast
import ctypes
import inspect
import struct
import textwrap
import threading
from collections.abc import Callable
from typing import Any, cast, get_type_hints

from energysim.mapping.jit.expressions import Expressions
from energysim.mapping.jit.kinds import BOOL, FLOAT, INT, Kind, Number, Record, flat, kind_of, layout, results, slots
from energysim.mapping.jit.machine import ENTRY, load
from energysim.mapping.jit.statements import Statements
from energysim.mapping.jit.values import Elements, Fields, Scalar, Text, Value, convert, result_at


class Kernel:
    """A function and its machine code. Every call passes arrays of the same dtypes and dimensions as the first one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self._lock = threading.Lock()
        self._code: _Code | None = None

    def __call__(self, *arguments: Any) -> Any:
        code = self._code
        if code is None:
            with self._lock:
                if self._code is None:
                    self._code = _Code(self, arguments)
                code = self._code
        return code(arguments)

    def parsed(self) -> ast.FunctionDef:
        tree = ast.parse(textwrap.dedent(inspect.getsource(self.function))).body[0]
        assert isinstance(tree, ast.FunctionDef)
        return ast.increment_lineno(tree, inspect.getsourcelines(self.function)[1] - 1)


def compiled[Function: Callable[..., object]](function: Function) -> Function:
    """Decorator. Parameters: annotated ``int``, ``float``, ``bool``, NumPy arrays (int64, float64; C-contiguous) or
    named tuples of these; results: numbers. The function may call others that are decorated; it may not allocate."""
    return cast(Function, Kernel(function))


class _Code:
    """Callable machine code of one kernel."""

    def __init__(self, kernel: Kernel, arguments: tuple[Any, ...]) -> None:
        hints = get_type_hints(kernel.function)
        names = list(inspect.signature(kernel.function).parameters)
        kinds = tuple(kind_of(value, hints[name]) for name, value in zip(names, arguments, strict=True))
        self.whole = Record(kernel.__name__, tuple(zip(names, kinds, strict=True)))
        self.results = results(hints["return"])
        self.arguments = struct.Struct("@" + layout(self.whole))
        self.returned = struct.Struct("@" + "".join(number.code for number in self.results))
        module = _Module()
        called = module.function(kernel, kinds)
        module.entry(called, kinds)
        self.code = load(module.text())
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.code.address)

    def __call__(self, arguments: tuple[Any, ...]) -> Any:
        values: list[Any] = []
        flat(self.whole, arguments, values)
        size = self.arguments.size
        buffer = ctypes.create_string_buffer(size + self.returned.size)
        self.arguments.pack_into(buffer, 0, *values)
        self.call(ctypes.addressof(buffer))
        returned = self.returned.unpack_from(buffer, size)
        if not returned:
            return None
        result = tuple(bool(v) if kind is BOOL else v for v, kind in zip(returned, self.results, strict=True))
        return result if len(result) > 1 else result[0]


class _Module:
    """The text of a kernel and of those that it calls, once for each kind of arguments."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.known: dict[tuple[Kernel, tuple[Kind, ...]], str] = {}

    def text(self) -> str:
        return "\n\n".join([*self.functions, "!0 = !{}"])

    def function(self, kernel: Kernel, kinds: tuple[Kind, ...]) -> str:
        """Name of the function, compiled if it is not yet."""
        key = kernel, kinds
        if key in self.known:
            return self.known[key]
        name = self.known[key] = f"@{kernel.__name__}.{len(self.known)}"
        hints, tree = get_type_hints(kernel.function), kernel.parsed()
        returned = results(hints["return"])
        parameters: list[str] = []
        values = {}
        for argument, kind in zip(tree.args.args, kinds, strict=True):
            values[argument.arg] = _parameter(kind, parameters)
        body = Statements({}, kernel.function.__globals__, self._call, returned)
        for parameter, value in values.items():
            # Numbers may be assigned to, as any variable.
            body.store(ast.Name(parameter), value)
        try:
            body.run(tree.body)
        except TypeError as error:
            raise TypeError(f"{kernel.function.__module__}.{kernel.__name__}, {error}") from error
        if returned and not body.text.ended:
            body.text.end("unreachable")
        body.text.end("ret void")
        signature = ", ".join([*parameters, "ptr noalias %result"])
        self.functions.append(
            "\n".join(
                [f"define internal void {name}({signature}) nounwind {{", *body.text.stack, *body.text.lines, "}"]
            )
        )
        return name

    def _call(self, text: Text, kernel: object, arguments: list[Value]) -> Value | None:
        """Inside a function: the call of another one, and what that returns."""
        if not isinstance(kernel, Kernel):
            raise TypeError("a call of what is not compiled")
        hints = get_type_hints(kernel.function)
        wanted = [hints[name] for name in inspect.signature(kernel.function).parameters]
        numbers = {int: INT, float: FLOAT, bool: BOOL}
        operands, kinds = [], []
        for value, annotation in zip(arguments, wanted, strict=True):
            if isinstance(value, Scalar):
                value = convert(text, value, numbers[annotation])
            operands += _operands(value)
            kinds.append(value.kind)
        returned = results(hints["return"])
        if len(returned) > 1:
            raise TypeError("only what is called from Python may return several numbers")
        place = text.variable(INT)
        text.put(f"call void {self.function(kernel, tuple(kinds))}({', '.join([*operands, f'ptr {place}'])})")
        return result_at(text, place, returned[0]) if returned else None

    def entry(self, called: str, kinds: tuple[Kind, ...]) -> None:
        """The function that Python calls: its arguments and then its results stand in the slots that it is given."""
        text, at, operands = Text(), 0, []
        loader = Expressions(text, {}, {}, {}, self._call)
        for kind in kinds:
            operands += _operands(loader.load("%slots", at, kind))
            at += slots(kind)
        result = text.new(f"getelementptr inbounds i64, ptr %slots, i64 {at}")
        text.put(f"call void {called}({', '.join([*operands, f'ptr {result}'])})")
        text.end("ret void")
        self.functions.append("\n".join([f"define void @{ENTRY}(ptr %slots) nounwind {{", *text.lines, "}"]))


def _parameter(kind: Kind, parameters: list[str]) -> Value:
    """A value made of new parameters."""
    name = f"%p{len(parameters)}"
    if isinstance(kind, Number):
        parameters.append(f"{kind.llvm} {name}")
        return Scalar(kind, name)
    parameters.append(f"ptr {name}")
    if isinstance(kind, Record):
        return Fields(kind, name)
    shape = tuple(f"{name}.{axis}" for axis in range(kind.dims))
    parameters.extend(f"i64 {size}" for size in shape)
    return Elements(kind, name, shape)


def _operands(value: Value) -> list[str]:
    """What is passed for a value: the counterpart of :func:`_parameter`. A named tuple goes by pointer."""
    if isinstance(value, Scalar):
        return [f"{value.kind.llvm} {value.text}"]
    if isinstance(value, Fields):
        return [f"ptr {value.pointer}"]
    return [f"ptr {value.pointer}", *(f"i64 {size}" for size in value.shape)]
