"""What training ties each class to: one context as a rule, or several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from figureground.core.errors import InputError

Tie = str | tuple[str, ...]
"""The context of a class, or its contexts where there are several."""
Common = Mapping[str, Tie]
"""Class -> what training ties it to."""


def own_contexts(common: Mapping[str, str | Sequence[str] | None], name: str) -> tuple[str, ...]:
    """The contexts that training ties a class to; none where that is not known.

    >>> own_contexts({"cat": "in", "dog": ("out", "sea")}, "dog"), own_contexts({"cat": None}, "cat")
    (('out', 'sea'), ())
    """
    tie = common.get(name)
    return () if tie is None else (tie,) if isinstance(tie, str) else tuple(tie)


def tied_contexts(common: Mapping[str, str | Sequence[str] | None]) -> tuple[str, ...]:
    """Every context that some class is tied to, in the order in which they are named."""
    return tuple(dict.fromkeys(context for name in common for context in own_contexts(common, name)))


def join_ties(pairs: Iterable[tuple[str, str]]) -> dict[str, Tie]:
    """Class -> its context, or its contexts in order where it is in several pairs; the same pair twice raises `InputError`.

    >>> join_ties([("cat", "in"), ("dog", "out"), ("dog", "sea")])
    {'cat': 'in', 'dog': ('out', 'sea')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, context in pairs:
        if context in found.get(name, ()):
            raise InputError(f"`common` ties '{name}' to '{context}' twice. Say it once")
        found[name] = (*found.get(name, ()), context)
    return {name: contexts[0] if len(contexts) == 1 else contexts for name, contexts in found.items()}
