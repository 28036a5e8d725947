"""Registries: names that stand for "module:attribute" texts, resolved only when used."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from figureground.core.errors import InputError


class Registry:
    """Name -> "module:attribute", open to plugins through an entry-point group of the same name.

    Args:
        what: what the names stand for, in the singular, for messages ("data set kind").
        group: entry-point group that plugins declare, such as `figureground.formats`.
        builtin: the names that come with figureground.
    """

    def __init__(self, what: str, *, group: str, builtin: Mapping[str, str]) -> None:
        self.what, self.group = what, group
        self._builtin = dict(builtin)

    def targets(self) -> dict[str, str]:
        """All known names with their targets; a plugin that takes a known name raises `InputError`."""
        known = dict(self._builtin)
        for point in entry_points(group=self.group):
            if point.name in known:
                raise InputError(f"{self.what} '{point.name}' is declared twice: {known[point.name]} and {point.value}. Remove one plugin")
            known[point.name] = point.value
        return known

    def names(self) -> tuple[str, ...]:
        """The known names in order."""
        return tuple(sorted(self.targets()))

    def resolve(self, name: str) -> Any:
        """The object a name stands for, imported now; an unknown name raises `InputError` listing the known ones."""
        targets = self.targets()
        if name not in targets:
            near = difflib.get_close_matches(name, targets, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise InputError(f"unknown {self.what} '{name}'.{hint} Known: {', '.join(sorted(targets))}")
        module, _, attribute = targets[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
