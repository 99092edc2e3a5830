"""Docstrings name other objects as Sphinx does; the site's Markdown knows only code spans."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|mod|meth|attr|data|exc):`~?([\w.]+)`")


class Roles(griffe.Extension):
    """Turns ``:func:`energysim.simulate``` into a code span."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
