"""YAML specifications: found by name, read with line numbers, checked so that every error names file, line and key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from energysim.errors import EnergySimError, Location, NotFoundError, SpecError, did_you_mean

Key = str | int
Loc = tuple[Key, ...]

_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class SpecFile:
    """One YAML document with positions. ``data`` holds ruamel's maps and sequences; ``plain`` ordinary ones."""

    file: str
    text: str
    data: Any

    @cached_property
    def plain(self) -> Any:
        """The data as ordinary dicts, lists and scalars (tags, comments and positions dropped)."""
        return _plain(self.data)

    @cached_property
    def sha256(self) -> str:
        """Digest of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def at(self, loc: Loc) -> Any:
        """The value at a key path; None where the path does not exist."""
        value = self.plain
        for key in loc:
            if isinstance(value, Mapping):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
        return value

    def location(self, loc: Loc = ()) -> Location:
        """Where the key path ``loc`` stands, or its nearest existing parent."""
        return Location(self.file, locate(self.data, loc), dotted(loc))

    def error(self, what: str, loc: Loc = (), hint: str | None = None) -> SpecError:
        """A SpecError at a key path, for the caller to raise."""
        return SpecError(what, where=self.location(loc), hint=hint)


class SpecModel(BaseModel):
    """Base of every model at the YAML edge: unknown keys are refused with a did-you-mean, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        known = {name for key, info in cls.model_fields.items() for name in (info.alias or key,)}
        unknown = [str(key) for key in data if key not in known and key not in cls.model_fields]
        if unknown:
            raise PydanticCustomError("unknown_keys", "unknown keys", {"keys": unknown, "known": sorted(known)})
        return data

    @classmethod
    def from_spec(cls, spec: SpecFile) -> Self:
        """This model from a document (see ``validate_model``)."""
        return validate_model(cls, spec)


def load_yaml(path: str | Path) -> SpecFile:
    """Read one YAML file.

    Raises:
        NotFoundError: the file does not exist or is a directory.
        SpecError: it is no text or no valid YAML (tabs, duplicate keys, ...), with the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"no file {str(path)!r}") from None
    except IsADirectoryError:
        raise NotFoundError(f"{str(path)!r} is a directory", hint="a YAML file is right here") from None
    except UnicodeDecodeError:
        raise SpecError(
            "this is no text file", where=Location(str(path)), hint="a YAML file in UTF-8 is right"
        ) from None
    except OSError as error:
        raise NotFoundError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, file: str) -> SpecFile:
    """YAML text to a document; ``file`` is the name that errors show. Raises SpecError with the line."""
    try:
        data = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Location(file, mark.line + 1 if mark is not None else None)
        problem = " ".join(str(error.problem or error.context or "malformed YAML").split())
        raise SpecError(problem, where=where, hint=_yaml_hint(problem, text, where.line)) from None
    except YAMLError as error:
        raise SpecError(" ".join(str(error).split()), where=Location(file)) from None
    return SpecFile(file, text, data)


def _yaml_hint(problem: str, text: str, line: int | None) -> str | None:
    lines = text.splitlines()
    if line is not None and line <= len(lines) and "\t" in lines[line - 1]:
        return "YAML is indented with spaces, not tabs"
    if "duplicate key" in problem:
        return "each key once"
    return None


def locate(data: Any, loc: Loc) -> int | None:
    """Line (from 1) of a key path in ruamel data; of its nearest existing parent where the path ends earlier."""
    if getattr(data, "lc", None) is None:
        return None
    line: int | None = data.lc.line + 1
    for key in loc:
        positions = getattr(getattr(data, "lc", None), "data", None)
        if not positions or key not in positions:
            break
        line = positions[key][0] + 1
        data = data[key]
    return line


def dotted(loc: Loc) -> str | None:
    """("nodes", 0, "energy") -> "nodes.0.energy"; None for the document itself."""
    return ".".join(str(key) for key in loc) or None


def spec_directory(kind: str) -> Path:
    """Where shipped specifications of a kind ("arch_specs", "workloads", "experiments") lie: in the wheel's data, or
    beside the package in a source checkout."""
    shipped = _PACKAGE / "_data" / kind
    return shipped if shipped.is_dir() else _PACKAGE.parent / kind


def list_specs(kind: str) -> tuple[str, ...]:
    """Names of the shipped specifications of a kind, sorted."""
    return tuple(sorted(path.stem for path in spec_directory(kind).glob("*.yaml")))


def find_spec(kind: str, name_or_path: str | Path) -> Path:
    """The file of a shipped specification by name, or of the user's own by path.

    Raises:
        NotFoundError: neither exists; names what is close, or everything there is.
    """
    text = str(name_or_path)
    if Path(text).suffix in (".yaml", ".yml") or Path(text).name != text:
        if Path(text).is_file():
            return Path(text)
        raise NotFoundError(f"no file {text!r}", hint=_closest(Path(text).stem, kind))
    path = spec_directory(kind) / f"{text}.yaml"
    if path.is_file():
        return path
    raise NotFoundError(f"no {kind.replace('_', ' ').rstrip('s')} named {text!r}", hint=_closest(text, kind))


def _closest(name: str, kind: str) -> str:
    known = list_specs(kind)
    return did_you_mean(name, known) or f"known: {', '.join(known)}; or the path of a YAML file"


def checked[T](parse: Callable[[Any], T]) -> Callable[[Any], T]:
    """``parse`` for use in a pydantic validator: its EnergySimError becomes a validation error with its hint."""

    def run(value: Any) -> T:
        try:
            return parse(value)
        except EnergySimError as error:
            raise PydanticCustomError("quantity", "{message}", {"message": error.what, "hint": error.hint}) from None

    return run


def validate_model[M: BaseModel](model: type[M], spec: SpecFile, loc: Loc = (), data: Any = None) -> M:
    """``model`` from a document, or from the part of it at ``loc`` (``data`` replaces that part, e.g. after overrides).

    Loc items in angle brackets (tags of unions, "<memory>") are no keys and are left out of messages.

    Raises:
        SpecError: every problem on a line of its own, with file, line, dotted key and what would be right.
    """
    part = spec.at(loc) if data is None else data
    if not isinstance(part, Mapping):
        got = "nothing" if part is None else f"a {type(part).__name__}"
        raise spec.error(f"a mapping of keys to values is right here, not {got}", loc)
    try:
        return model.model_validate(part)
    except ValidationError as error:
        problems = [p for details in error.errors(include_url=False) for p in _problems(model, details)]
    errors = [spec.error(what, loc + at, hint) for what, at, hint in problems]
    if len(errors) == 1:
        raise errors[0]
    first, *others = errors
    lines = [first.what if first.hint is None else f"{first.what} ({first.hint})", *map(str, others)]
    raise SpecError("\n".join(lines), where=first.where)


def _problems(model: type[BaseModel], details: ErrorDetails) -> list[tuple[str, Loc, str | None]]:
    """What, where and the remedy of one pydantic error (several for several unknown keys of one mapping)."""
    at = tuple(key for key in details["loc"] if not str(key).startswith("<") and key != "[key]")
    context = details.get("ctx", {})
    match details["type"]:
        case "unknown_keys":
            known = context["known"]
            found: list[tuple[str, Loc, str | None]] = []
            for key in context["keys"]:
                hint = did_you_mean(key, known) or f"known keys: {', '.join(known)}"
                found.append((f"unknown key {key!r}", (*at, key), hint))
            return found
        case "extra_forbidden":
            close = did_you_mean(str(at[-1]), model.model_fields) if len(at) == 1 else None
            return [(f"unknown key {at[-1]!r}", at, close)]
        case "missing":
            return [(f"missing key {at[-1]!r}", at, None)]
        case "quantity":
            return [(context["message"], at, context.get("hint"))]
        case _:
            message = details["msg"].removeprefix("Value error, ")
            return [(f"{message[:1].lower()}{message[1:]} (got {details['input']!r})", at, context.get("hint"))]


def _plain(data: Any) -> Any:
    """ruamel's containers and scalars as built-in ones (booleans before integers: bool is an int)."""
    if isinstance(data, Mapping):
        return {_plain(key): _plain(value) for key, value in data.items()}
    if isinstance(data, str):
        return str(data)
    if isinstance(data, Sequence):
        return [_plain(item) for item in data]
    if isinstance(data, bool) or type(data).__name__ == "ScalarBoolean":
        return bool(data)
    if isinstance(data, int):
        return int(data)
    if isinstance(data, float):
        return float(data)
    return data
