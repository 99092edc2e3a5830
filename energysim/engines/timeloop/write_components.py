"""The compound components that the classes of written architectures are made of, for Accelergy."""

from __future__ import annotations

from collections.abc import Mapping

from energysim.yaml_text import Document

_NEEDED = ("technology", "global_cycle_seconds")


def components_yaml() -> Document:
    """``{"compound_components": ...}`` over classes that Accelergy's public plug-ins estimate.

    A buffer is its memory array, or its registers; a MAC is a multiplier and an adder. Address generators and
    controllers are left out, as everywhere in energysim.
    """
    memory = {key: key for key in (*_NEEDED, "width", "depth", "n_banks")}
    register = {key: key for key in _NEEDED}
    classes = [
        _class(
            "smartbuffer_SRAM",
            ("width", "depth", "n_banks"),
            {"array": ("SRAM", {**memory, "n_rdwr_ports": 1})},
            {"read": [("array", "read")], "write": [("array", "write")], "update": [("array", "write")]},
        ),
        _class(
            "smartbuffer_RF",
            ("width", "depth"),
            {"cells[1..width*depth]": ("aladdin_register", register)},
            {
                # An access clocks one row of the registers. The library states that energy once, under `read`.
                "read": [("cells[1..width]", "read")],
                "write": [("cells[1..width]", "read")],
                "update": [("cells[1..width]", "read")],
            },
        ),
        *(
            _class(
                name,
                ("multiplier_width", "adder_width"),
                {
                    "multiplier": (
                        "aladdin_multiplier",
                        {**register, "width_a": "multiplier_width", "width_b": "multiplier_width"},
                    ),
                    "adder": ("aladdin_adder", {**register, "width": "adder_width"}),
                },
                {"compute": [("multiplier", "read"), ("adder", "read")]},
            )
            for name in ("intmac", "fpmac")
        ),
    ]
    return {"compound_components": {"version": 0.4, "classes": classes}}


def _class(
    name: str,
    attributes: tuple[str, ...],
    parts: Mapping[str, tuple[str, Mapping[str, object]]],
    actions: dict[str, list[tuple[str, str]]],
) -> Document:
    """``parts``: name -> (class, attributes); ``actions``: name -> (part, action). Everything leaks."""
    actions = {**actions, "leak": [(part, "leak") for part in parts]}
    return {
        "name": name,
        "attributes": dict.fromkeys((*_NEEDED, *attributes), "must_specify"),
        "subcomponents": [
            {"name": part, "class": class_, "attributes": given} for part, (class_, given) in parts.items()
        ],
        "actions": [
            {
                "name": action,
                "subcomponents": [{"name": part, "actions": [{"name": what}]} for part, what in uses],
            }
            for action, uses in actions.items()
        ],
    }
