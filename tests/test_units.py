"""Units: what is accepted, what it means, and what a refusal says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim import units
from energysim.errors import UnitError


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("64 KiB", 64 * 1024 * 8),
        ("64 KB", 64_000 * 8),
        ("64 kB", 64_000 * 8),
        ("64 Kb", 64_000),
        ("64 Kib", 64 * 1024),
        ("16 b", 16),
        ("16b", 16),
        ("12 bits", 12),
        ("2 B", 16),
        ("0.5 B", 4),
        ("224 x 16 b", 3584),
        ("8 MiB", 8 * 2**23),
        ("8 GB", 64 * 10**9),
    ],
)
def test_sizes(text: str, bits: int) -> None:
    assert units.parse_size_bits(text) == bits


@pytest.mark.parametrize(
    ("text", "bits_per_cycle"),
    [
        ("25.6 GB/s", 204.8),
        ("64 b/cycle", 64),
        ("8 B/cycle", 64),
        ("4 words/cycle", 32),
        ("64 B/ns", 512),
        ("1 Gb/s", 1),
    ],
)
def test_bandwidths_at_1_ghz_and_8_bit_words(text: str, bits_per_cycle: float) -> None:
    assert units.parse_bandwidth(text, clock_hz=1e9, word_bits=8) == pytest.approx(bits_per_cycle, rel=1e-12)


def test_other_quantities() -> None:
    assert units.parse_frequency_hz("921.6 MHz") == pytest.approx(921.6e6)
    assert units.parse_energy("8 pJ/bit") == units.EnergyPer(8.0, "bit")
    assert units.parse_energy("1.2 nJ / access") == units.EnergyPer(1200.0, "access")
    assert units.parse_energy_pj("0.3 pJ") == 0.3
    assert units.parse_energy_pj_per_access("8 pJ/bit", access_bits=64) == 512.0
    assert units.parse_energy_pj_per_access("64 pJ/B", access_bits=64) == 512.0
    assert units.parse_energy_pj_per_access("512 pJ/access", access_bits=64) == 512.0
    assert units.parse_energy_pj_per_access("128 pJ/word", access_bits=64, word_bits=16) == 512.0
    assert units.parse_energy_pj_per_mac("0.3 pJ/mac") == 0.3
    assert units.parse_power_w("1.2 mW") == pytest.approx(1.2e-3)
    assert units.parse_time_s("3 us") == pytest.approx(3e-6)
    assert units.parse_length_nm("12 nm") == 12.0
    assert units.parse_length_nm("0.18 um") == pytest.approx(180.0)


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (units.parse_size_bits, "64", "has no unit"),
        (units.parse_size_bits, 64, "has no unit"),
        (units.parse_size_bits, "64 KiBs", "did you mean 'KiB'"),
        (units.parse_size_bits, "64 pJ", "does not measure a size"),
        (units.parse_size_bits, "-64 KiB", "is negative"),
        (units.parse_size_bits, "0.3 b", "whole number of bits"),
        (units.parse_size_bits, "0 KiB", "at least 1"),
        (units.parse_size_bits, "many KiB", "is no size"),
        (units.parse_size_bits, None, "is no size"),
        (units.parse_size_bits, True, "is no size"),
        (units.parse_bandwidth, "25.6 GB", "has no time"),
        (units.parse_bandwidth, "25.6 GB/s", "needs a clock"),
        (units.parse_bandwidth, "8 words/cycle", "how wide a word is"),
        (units.parse_bandwidth, "8 b/fortnight", "is no period"),
        (units.parse_bandwidth, "0 b/cycle", "is zero"),
        (units.parse_frequency_hz, "1 ghz", "did you mean 'GHz'"),
        (units.parse_frequency_hz, "0 GHz", "is zero"),
        (units.parse_energy, "8 W", "does not measure an energy"),
        (units.parse_energy, "8 pJ/flop", "nothing to count energy by"),
        (units.parse_energy_pj, "8 pJ/bit", "bare energy"),
        (units.parse_energy_pj_per_mac, "8 pJ/bit", "energy per MAC"),
        (units.parse_power_w, "3 pJ", "does not measure a power"),
        (units.parse_time_s, "3", "has no unit"),
        (units.parse_length_nm, "45", "has no unit"),
        (units.parse_length_nm, "0 nm", "is zero"),
    ],
)
def test_refusals_say_what_is_right(parse, text, says) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnitError, match=re.escape(says)):
        parse(text)


def test_per_access_energy_refuses_what_is_no_memory_energy() -> None:
    for text in ("1 pJ/mac", "1 pJ/word"):
        with pytest.raises(UnitError, match="no energy of a memory"):
            units.parse_energy_pj_per_access(text, access_bits=64)


values = st.floats(min_value=1e-2, max_value=1e11)


@given(values)
def test_energy_round_trip(pj: float) -> None:
    assert units.parse_energy_pj(units.format_energy(pj, digits=9)) == pytest.approx(pj, rel=1e-8)


@given(values)
def test_time_power_frequency_round_trip(x: float) -> None:
    assert units.parse_time_s(units.format_time(x * 1e-9, 9)) == pytest.approx(x * 1e-9, rel=1e-8)
    assert units.parse_power_w(units.format_power(x * 1e-9, 9)) == pytest.approx(x * 1e-9, rel=1e-8)
    assert units.parse_frequency_hz(units.format_frequency(x, 9)) == pytest.approx(x, rel=1e-8)


@given(st.integers(min_value=1, max_value=2**43))
def test_size_round_trip(size: int) -> None:
    assert units.parse_size_bits(units.format_bytes(size, digits=17)) == pytest.approx(size * 8, abs=1)


@given(values)
def test_formatting_stays_in_one_to_a_thousand(x: float) -> None:
    number, _unit = units.format_energy(x).split()
    assert 1 <= float(number) < 1000


def test_formats() -> None:
    assert units.format_energy(1234) == "1.234 nJ"
    assert units.format_energy(999.999) == "1 nJ"
    assert units.format_energy(0) == "0 fJ"
    assert units.format_bytes(65536) == "64 KiB"
    assert units.format_bytes(1000) == "1000 B"
    assert units.format_bits(16) == "16 b"
    assert units.format_bits(65536 * 8) == "64 KiB"
    assert units.format_time(3e-6) == "3 us"
    assert units.format_power(0.0012) == "1.2 mW"
    assert units.format_frequency(921.6e6) == "921.6 MHz"
    assert units.format_rate(25.6e9, "B/s") == "25.6 GB/s"
    assert units.format_count(15_753_728) == "15.75 M"
    assert units.format_count(12) == "12"
