"""Quantities with units: text from a specification to plain numbers, and plain numbers to text for tables.

Inside energysim every quantity is a plain number whose unit is in its name (``energy_pj``, ``capacity_bits``). Units
are read and written only here. ``KiB`` is 1024 bytes and ``KB`` (or ``kB``) 1000; ``b`` is a bit and ``B`` a byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral

from energysim.errors import UnitError, did_you_mean

_NUMBER = r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"^\s*({_NUMBER})\s*([^\d\s].*?)?\s*$")
_TIMES = re.compile(r"^\s*(\d[\d_]*)\s*[x*×]\s*(\S.*)$")

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DECIMAL = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SMALL = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "": 1.0}

_SIZES: dict[str, int] = {
    f"{prefix}{unit}": factor * bits
    for prefix, factor in {**_DECIMAL, **_BINARY}.items()
    for unit, bits in {"b": 1, "bit": 1, "bits": 1, "B": 8, "byte": 8, "bytes": 8}.items()
}
_FREQUENCIES = {f"{prefix}Hz": float(factor) for prefix, factor in _DECIMAL.items()}
_TIMES_S = {f"{prefix}s": factor for prefix, factor in _SMALL.items()}
# Energies in pJ: relative to 1e-12 J, spelled out so that "8 pJ" is exactly 8.0.
_ENERGIES = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3, "uJ": 1e6, "µJ": 1e6, "mJ": 1e9, "J": 1e12}
_POWERS = {"pW": 1e-12, "nW": 1e-9, "uW": 1e-6, "µW": 1e-6, "mW": 1e-3, "W": 1.0, "kW": 1e3}
_LENGTHS = {"nm": 1.0, "um": 1e3, "µm": 1e3}
_AREAS = {"mm2": 1.0, "mm²": 1.0, "um2": 1e-6, "µm2": 1e-6, "µm²": 1e-6}
_RATES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_PER = {"bit": "bit", "b": "bit", "byte": "byte", "B": "byte", "word": "word", "access": "access", "mac": "mac",
        "MAC": "mac", "op": "mac"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EnergyPer:
    """``pj`` picojoules per ``per``: "bit", "byte", "word", "access", "mac", or "" for a bare energy."""

    pj: float
    per: str


def _number(text: str, original: object) -> float:
    value = float(text.replace("_", ""))
    if value < 0:
        raise UnitError(f"{original!r} is negative", hint="a quantity of at least 0 is right")
    return value


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _split(text: object, what: str, example: str) -> tuple[float, str]:
    """The number and the unit of one quantity. A bare number is refused: its unit would be a guess."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise UnitError(f"{text!r} is no {what}", hint=f"for example {example!r}")
    match = _QUANTITY.match(str(text))
    if match is None:
        raise UnitError(f"{text!r} is no {what}", hint=f"a number and a unit, for example {example!r}")
    value, unit = _number(match[1], text), match[2]
    if not unit:
        raise UnitError(f"{text!r} has no unit", hint=f"{_article(what)} needs one, for example {example!r}")
    return value, unit


def _scale(unit: str, table: Mapping[str, float], what: str, example: str, original: object) -> float:
    if unit not in table:
        same = [name for name in table if name.lower() == unit.lower()]
        close = f"did you mean {' or '.join(map(repr, same))}?" if same else did_you_mean(unit, table)
        hint = close or f"for example {example!r}"
        raise UnitError(f"{original!r}: {unit!r} does not measure {_article(what)}", hint=hint)
    return table[unit]


def _whole(value: float, original: object, what: str) -> int:
    if value != int(value) or value < 1:
        raise UnitError(f"{original!r} is {value:g} bits", hint=f"a {what} is a whole number of bits, at least 1")
    return int(value)


def whole_number(value: object, what: str, most: int | None = None) -> int:
    """``value`` as a number of things, from 1 to ``most``. Raises UnitError for anything else."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 1 <= int(value) <= (most or int(value)):
        raise UnitError(f"{value!r} is no {what}", hint="a whole number from 1" + (f" to {most}" if most else " on"))
    return int(value)


def parse_size_bits(text: object) -> int:
    """Bits of a memory or word: "64 KiB", "16 b", or depth times width, "224 x 16 b"."""
    example = "64 KiB"
    times = _TIMES.match(text) if isinstance(text, str) else None
    if times is not None:
        return int(times[1].replace("_", "")) * parse_size_bits(times[2])
    value, unit = _split(text, "size", example)
    return _whole(value * _scale(unit, _SIZES, "size", example, text), text, "size")


def parse_bandwidth(text: object, clock_hz: float | None = None, word_bits: int | None = None) -> float:
    """Bits per cycle of "25.6 GB/s" (needs the clock), "64 b/cycle", "4 B/cycle" or "8 words/cycle" (needs the word's
    width)."""
    example = "25.6 GB/s"
    value, unit = _split(text, "bandwidth", example)
    amount, slash, period = (part.strip() for part in unit.partition("/"))
    if not slash:
        raise UnitError(f"{text!r} has no time", hint="for example '25.6 GB/s' or '64 b/cycle'")
    if amount in ("word", "words"):
        if word_bits is None:
            raise UnitError(f"{text!r}: how wide a word is, is not known here", hint="for example '64 b/cycle'")
        bits = value * word_bits
    else:
        bits = value * _scale(amount, _SIZES, "bandwidth", example, text)
    if bits <= 0:
        raise UnitError(f"{text!r} is zero", hint="a bandwidth is above 0; leave the key out for an unbounded one")
    if period in ("cycle", "cycles", "clk"):
        return bits
    if period in _TIMES_S:
        if clock_hz is None:
            raise UnitError(f"{text!r} needs a clock", hint="state it per cycle, for example '64 b/cycle'")
        # Twelve digits: 64 B/ns at 1 GHz is 512 bits per cycle, not 511.99999999999994.
        return float(f"{bits / _TIMES_S[period] / clock_hz:.12g}")
    raise UnitError(f"{text!r}: {period!r} is no period", hint="'/s', '/ns' or '/cycle'")


def parse_frequency_hz(text: object) -> float:
    """Hertz of "921.6 MHz"."""
    value, unit = _split(text, "frequency", "1 GHz")
    hertz = value * _scale(unit, _FREQUENCIES, "frequency", "1 GHz", text)
    if hertz <= 0:
        raise UnitError(f"{text!r} is zero", hint="a frequency is above 0, for example '1 GHz'")
    return hertz


def parse_energy(text: object) -> EnergyPer:
    """Picojoules and what they are for: "8 pJ/bit", "1.2 nJ/access", "0.3 pJ" (``per`` is "")."""
    value, unit = _split(text, "energy", "8 pJ/bit")
    joules, slash, per = (part.strip() for part in unit.partition("/"))
    scale = _scale(joules, _ENERGIES, "energy", "8 pJ/bit", text)
    if slash and per not in _PER:
        hint = "'/bit', '/B', '/word', '/access' or '/mac'"
        raise UnitError(f"{text!r}: {per!r} is nothing to count energy by", hint=hint)
    return EnergyPer(value * scale, _PER[per] if slash else "")


def parse_energy_pj(text: object) -> float:
    """Picojoules of a bare energy, "0.3 pJ"."""
    energy = parse_energy(text)
    if energy.per:
        raise UnitError(f"{text!r} is an energy per {energy.per}", hint="a bare energy is right here, as in '0.3 pJ'")
    return energy.pj


def parse_energy_pj_per_access(text: object, access_bits: int, word_bits: int | None = None) -> float:
    """Picojoules of one physical access of ``access_bits`` bits, from an energy per access, word, byte or bit."""
    energy = parse_energy(text)
    if energy.per in ("", "access"):
        return energy.pj
    if energy.per == "mac" or (energy.per == "word" and word_bits is None):
        raise UnitError(f"{text!r} is no energy of a memory", hint="'8 pJ/bit' or '32 pJ/access' is right here")
    unit_bits = {"bit": 1, "byte": 8, "word": word_bits or 1}[energy.per]
    return energy.pj * access_bits / unit_bits


def parse_energy_pj_per_mac(text: object) -> float:
    """Picojoules of one multiply-accumulate: "0.3 pJ" or "0.3 pJ/mac"."""
    energy = parse_energy(text)
    if energy.per not in ("", "mac"):
        raise UnitError(
            f"{text!r} is an energy per {energy.per}", hint="an energy per MAC is right here, as in '0.3 pJ'"
        )
    return energy.pj


def parse_power_w(text: object) -> float:
    """Watts of "1.2 mW"."""
    value, unit = _split(text, "power", "1.2 mW")
    return value * _scale(unit, _POWERS, "power", "1.2 mW", text)


def parse_time_s(text: object) -> float:
    """Seconds of "3 us"."""
    value, unit = _split(text, "time", "3 us")
    return value * _scale(unit, _TIMES_S, "time", "3 us", text)


def parse_area_mm2(text: object) -> float:
    """Square millimetres of "12 mm2" or "900 um2"."""
    value, unit = _split(text, "area", "12 mm2")
    return value * _scale(unit, _AREAS, "area", "12 mm2", text)


def parse_length_nm(text: object) -> float:
    """Nanometres of "12 nm"."""
    value, unit = _split(text, "technology node", "45 nm")
    nm = value * _scale(unit, _LENGTHS, "technology node", "45 nm", text)
    if nm <= 0:
        raise UnitError(f"{text!r} is zero", hint="a technology node is above 0, for example '45 nm'")
    return nm


# What tables and axes show, smallest unit first.
_ENERGY_STEPS = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3, "uJ": 1e6, "mJ": 1e9, "J": 1e12}
_BYTES_STEPS = {"B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
_TIME_STEPS = {"ps": 1e-12, "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def _unit(value: float, steps: Mapping[str, float], digits: int) -> str:
    """The largest unit of ``steps`` (ascending) that keeps ``value`` at 1 or more."""
    chosen = next(iter(steps))
    for name in steps:
        # Rounding must not turn 999.96 pJ into "1000 pJ", so compare the rounded value.
        if value and float(f"{abs(value):.{digits}g}") >= steps[name]:
            chosen = name
    return chosen


def _format(value: float, steps: Mapping[str, float], digits: int) -> str:
    """``value`` in the largest unit of ``steps`` (ascending) that keeps it at 1 or more."""
    chosen = _unit(value, steps, digits)
    if value == 0:
        return f"0 {chosen}"
    scaled = value / steps[chosen]
    text = f"{scaled:.{digits}g}"
    return f"{float(text):.0f} {chosen}" if "e" in text and abs(scaled) >= 1 else f"{text} {chosen}"


def energy_unit(pj: float) -> tuple[str, float]:
    """The unit that suits an axis up to ``pj`` picojoules, and its picojoules: 5e6 -> ("uJ", 1e6)."""
    unit = _unit(pj, _ENERGY_STEPS, 4)
    return unit, _ENERGY_STEPS[unit]


def bytes_unit(count: float) -> tuple[str, float]:
    """The unit that suits an axis up to ``count`` bytes, and its bytes: 5000 -> ("KiB", 1024)."""
    unit = _unit(count, _BYTES_STEPS, 4)
    return unit, _BYTES_STEPS[unit]


def time_unit(seconds: float) -> tuple[str, float]:
    """The unit that suits an axis up to ``seconds``, and its seconds: 0.005 -> ("ms", 0.001)."""
    unit = _unit(seconds, _TIME_STEPS, 4)
    return unit, _TIME_STEPS[unit]


def format_energy(pj: float, digits: int = 4) -> str:
    """Picojoules as text: 1234.0 -> "1.234 nJ"."""
    return _format(pj, _ENERGY_STEPS, digits)


def format_bytes(count: float, digits: int = 4) -> str:
    """Bytes as text in powers of 1024: 65536 -> "64 KiB"."""
    return _format(count, _BYTES_STEPS, digits)


def format_bits(count: float, digits: int = 4) -> str:
    """Bits as text: whole bytes as bytes where there are 64 or more of them, bits otherwise."""
    return format_bytes(count / 8, digits) if count >= 512 and count % 8 == 0 else f"{count:.{digits}g} b"


def format_time(seconds: float, digits: int = 4) -> str:
    """Seconds as text: 3e-6 -> "3 us"."""
    return _format(seconds, _TIME_STEPS, digits)


def format_power(watts: float, digits: int = 4) -> str:
    """Watts as text: 0.0012 -> "1.2 mW"."""
    return _format(watts, {"pW": 1e-12, "nW": 1e-9, "uW": 1e-6, "mW": 1e-3, "W": 1.0}, digits)


def format_frequency(hertz: float, digits: int = 4) -> str:
    """Hertz as text: 921600000.0 -> "921.6 MHz"."""
    return _format(hertz, {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}, digits)


def format_rate(per_second: float, unit: str, digits: int = 4) -> str:
    """A rate as text: (25.6e9, "B/s") -> "25.6 GB/s"; ``unit`` may be "B/s", "MAC/s", "OP/s"..."""
    return _format(per_second, {f"{prefix}{unit}": factor for prefix, factor in _RATES.items()}, digits)


def format_count(count: float, digits: int = 4) -> str:
    """A count as text: 15753728 -> "15.75 M"."""
    return _format(count, {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}, digits).rstrip()
