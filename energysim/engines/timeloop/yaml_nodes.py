"""A YAML file as cursors: every value knows its file, line, key and tag, so every complaint can name its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from energysim.engines.timeloop.expressions import evaluate
from energysim.errors import EnergySimError, Location, SpecError, did_you_mean
from energysim.spec_files import load_yaml


class Cursor:
    """One value of a YAML file and the way to it. ``line`` counts from 1; ``key`` is a dotted path."""

    __slots__ = ("file", "key", "line", "value", "variables")

    def __init__(
        self, value: Any, file: str, line: int, key: str, variables: Mapping[str, float] | None = None
    ) -> None:
        self.value, self.file, self.line, self.key = value, file, line, key
        self.variables: Mapping[str, float] = variables or {}

    @property
    def where(self) -> Location:
        return Location(self.file, self.line, self.key or None)

    @property
    def tag(self) -> str | None:
        """The explicit tag (``!Component``), or None."""
        tag = getattr(getattr(self.value, "tag", None), "value", None)
        return tag if isinstance(tag, str) else None

    def fail(self, what: str, *, hint: str | None = None, kind: type[EnergySimError] = SpecError) -> NoReturn:
        raise kind(what, where=self.where, hint=hint)

    def with_variables(self, variables: Mapping[str, float]) -> Cursor:
        """The same cursor whose numbers may be expressions over ``variables``."""
        return Cursor(self.value, self.file, self.line, self.key, variables)

    # mappings -------------------------------------------------------------------------------------------------

    @property
    def is_map(self) -> bool:
        return isinstance(self.value, Mapping)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def _map(self) -> Mapping[Any, Any]:
        if not isinstance(self.value, Mapping):
            self.fail(f"expected a mapping (key: value), found {_describe(self.value)}")
        return self.value

    def keys(self) -> list[str]:
        return [str(key) for key in self._map()]

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def get(self, *names: str) -> Cursor | None:
        """The value of the first of ``names`` that is present and not null."""
        mapping = self._map()
        for name in names:
            if mapping.get(name) is not None:
                return self._child(mapping, name)
        return None

    def need(self, key: str) -> Cursor:
        found = self.get(key)
        if found is None:
            self.fail(f"the key '{key}' is missing", hint=did_you_mean(key, self.keys()))
        return found

    def at(self, key: str) -> Cursor:
        """The value of a key that is present, null included."""
        return self._child(self._map(), key)

    def only(self, known: Iterable[str]) -> None:
        """Raises SpecError at the first key that is not in ``known``."""
        known = list(known)
        for key in self.keys():
            if key not in known:
                self.at(key).fail(f"unknown key '{key}'", hint=did_you_mean(key, known) or f"known: {', '.join(known)}")

    def _child(self, mapping: Mapping[Any, Any], name: str) -> Cursor:
        original = next((key for key in mapping if str(key) == name), name)
        key = f"{self.key}.{name}" if self.key else name
        return Cursor(mapping[original], self.file, self._line_of(original), key, self.variables)

    def _line_of(self, item: Any) -> int:
        position = getattr(self.value, "lc", None)
        data = getattr(position, "data", None)
        if data and item in data:
            return int(data[item][0]) + 1
        return self.line

    # lists and scalars ----------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Cursor]:
        if not isinstance(self.value, list):
            self.fail(f"expected a list, found {_describe(self.value)}")
        for index, item in enumerate(self.value):
            yield Cursor(item, self.file, self._line_of(index), f"{self.key}[{index}]", self.variables)

    def text(self) -> str:
        if isinstance(self.value, Mapping | list) or self.value is None:
            self.fail(f"expected a name, found {_describe(self.value)}")
        return str(self.value)

    def names(self) -> list[str]:
        """A list of names; one name alone, or names in one string, count as a list."""
        if isinstance(self.value, str):
            return self.value.replace(",", " ").split()
        return [item.text() for item in self]

    def number(self, *, minimum: float | None = None) -> float:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            self.fail(f"expected a number, found {_describe(value)}")
        try:
            number = evaluate(value, self.variables) if isinstance(value, str) else float(value)
        except ValueError as error:
            self.fail(f"expected a number, found {str(value)!r}: {error}")
        if minimum is not None and number < minimum:
            self.fail(f"{number:g} is too small", hint=f"the least is {minimum:g}")
        return number

    def integer(self, *, minimum: int | None = None) -> int:
        number = self.number(minimum=minimum)
        if number != int(number):
            self.fail(f"expected a whole number, found {number:g}")
        return int(number)

    def boolean(self) -> bool:
        if str(self.value).lower() in ("true", "yes", "1"):
            return True
        if str(self.value).lower() in ("false", "no", "0", "none"):
            return False
        return self.fail(f"expected true or false, found {_describe(self.value)}")


def _describe(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(str(value))


def load(path: Path) -> Cursor:
    """The root of a YAML file. Raises NotFoundError without the file, SpecError where it is no YAML mapping."""
    document = load_yaml(path)
    root = Cursor(document.data, document.file, 1, "")
    if not root.is_map:
        root.fail("a Timeloop input file holds top-level keys such as architecture, problem and mapping")
    return root
