"""The steps of the schema in order, found in the folder `migrations`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from figureground.review.store import migrations


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema."""

    number: int
    """Version that it leads to, from 1 without a gap."""
    name: str
    up: Callable[[Connection], None]


def steps() -> tuple[Migration, ...]:
    """Every step, in order."""
    found = []
    for name in sorted(module.name for module in pkgutil.iter_modules(migrations.__path__)):
        number, _, word = name.partition("_")
        found.append(Migration(number=int(number), name=word, up=importlib.import_module(f"{migrations.__name__}.{name}").up))
    return tuple(found)
