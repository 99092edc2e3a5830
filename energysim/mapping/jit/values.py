"""What names stand for while a function is compiled, and the text of the function so far."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from energysim.mapping.jit.kinds import BOOL, FLOAT, INT, Array, Number, Record


@dataclass(frozen=True, slots=True)
class Scalar:
    """``text``: an LLVM operand; ``constant``: its value where that is known."""

    kind: Number
    text: str
    constant: float | None = None


@dataclass(frozen=True, slots=True)
class Elements:
    """An array: pointer to its first element, and its shape."""

    kind: Array
    pointer: str
    shape: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """A named tuple: pointer to its slots."""

    kind: Record
    pointer: str


Value = Scalar | Elements | Fields


def number(value: float) -> Scalar:
    """A constant."""
    if isinstance(value, bool):
        return Scalar(BOOL, "true" if value else "false", value)
    if isinstance(value, int):
        return Scalar(INT, str(value), value)
    return Scalar(FLOAT, f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}", value)


@dataclass
class Text:
    """LLVM's text of one function: blocks of instructions, and the stack slots of its variables."""

    stack: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    ended: bool = False  # the current block has its last instruction
    names: int = 0

    def fresh(self) -> str:
        self.names += 1
        return f"%v{self.names}"

    def label(self) -> str:
        self.names += 1
        return f"b{self.names}"

    def put(self, instruction: str) -> None:
        if not self.ended:
            self.lines.append(f"  {instruction}")

    def new(self, instruction: str) -> str:
        """The name of what an instruction computes."""
        name = self.fresh()
        self.put(f"{name} = {instruction}")
        return name

    def end(self, instruction: str) -> None:
        self.put(instruction)
        self.ended = True

    def jump(self, label: str) -> None:
        self.end(f"br label %{label}")

    def begin(self, label: str) -> None:
        """A block that others jump to."""
        self.lines.append(f"{label}:")
        self.ended = False

    def follow(self, label: str) -> None:
        """A block that the one before falls through to."""
        self.jump(label)
        self.begin(label)

    def variable(self, kind: Number) -> str:
        name = self.fresh()
        self.stack.append(f"  {name} = alloca {kind.llvm}")
        return name


def convert(text: Text, value: Scalar, kind: Number) -> Scalar:
    """As Python's own mixing does it. Raises TypeError where that would lose digits."""
    if value.kind is kind:
        return value
    if value.constant is not None and kind is FLOAT:
        return number(float(value.constant))
    if kind is FLOAT:
        whole = convert(text, value, INT)
        return Scalar(FLOAT, text.new(f"sitofp i64 {whole.text} to double"))
    if kind is INT and value.kind is BOOL:
        return Scalar(INT, text.new(f"zext i1 {value.text} to i64"))
    raise TypeError(f"a {value.kind.name} where a {kind.name} is expected")


def truth(text: Text, value: Scalar) -> Scalar:
    if value.kind is BOOL:
        return value
    if value.kind is INT:
        return Scalar(BOOL, text.new(f"icmp ne i64 {value.text}, 0"))
    return Scalar(BOOL, text.new(f"fcmp une double {value.text}, {number(0.0).text}"))


def store_result(text: Text, value: Scalar, slot: str) -> None:
    stored = convert(text, value, INT) if value.kind is BOOL else value
    text.put(f"store {stored.kind.llvm} {stored.text}, ptr {slot}")


def result_at(text: Text, slot: str, kind: Number) -> Scalar:
    """What :func:`store_result` left."""
    loaded = text.new(f"load {'double' if kind is FLOAT else 'i64'}, ptr {slot}")
    return truth(text, Scalar(INT, loaded)) if kind is BOOL else Scalar(kind, loaded)
