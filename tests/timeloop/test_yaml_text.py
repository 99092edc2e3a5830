"""What is written reads back as it was, also by the letter of YAML 1.1."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.spec_files import parse_yaml
from energysim.yaml_text import Quoted, Tagged, dump, plain_number, scalar

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
DOCUMENTS = st.dictionaries(
    TEXTS,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
    ),
    max_size=3,
)


@given(DOCUMENTS)
@settings(max_examples=60, deadline=None)
def test_any_document_reads_back(document: dict[str, Any]) -> None:
    assert (parse_yaml(dump(document), "text").plain or {}) == document


@pytest.mark.parametrize(
    "text", ["N", "Y", "no", "On", "null", "45nm", "1e-9", "0.4", "1..4", "a: b", "C=4 M=2", "", "#x", 'a"b\\c', "~"]
)
def test_texts_that_readers_take_for_something_else_are_quoted(text: str) -> None:
    assert scalar(text).startswith('"')
    assert parse_yaml(f"key: {scalar(text)}", "text").plain == {"key": text}


@pytest.mark.parametrize("value", [1e-9, 1e22, 5e-324, 0.1, -2.5, 1.0, 123456789.0])
def test_floats_have_a_point_and_a_signed_exponent(value: float) -> None:
    """PyYAML reads 1e-09 as a text."""
    assert re.fullmatch(r"-?\d+\.\d+(e[+-]\d+)?", scalar(value))
    assert float(scalar(value)) == value


def test_what_has_no_form_is_refused() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="no place"):
            dump({"a": value})
    with pytest.raises(TypeError, match="plain form"):
        dump({"a": object()})


def test_tags_quotes_and_numbers() -> None:
    nodes = [
        Tagged("!Component", {"name": "GLB", "attributes": {"type": Quoted("LPDDR4"), "depth": plain_number(4.0)}})
    ]
    text = dump({"nodes": nodes})
    assert "!Component" in text and 'type: "LPDDR4"' in text and "depth: 4" in text
    (node,) = parse_yaml(text, "text").data["nodes"]
    assert node.tag.value == "!Component"
    assert plain_number(0.5) == 0.5
