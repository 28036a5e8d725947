"""How many samples each group gets at a correlation, and which sample stands where: the dial itself, free of any picture.

rho is the part of each class's training samples that stands in the context its class is tied to; the rest is spread evenly over the other
contexts. With K contexts 1 / K is balance and 1 leaves no counterexample. The number of samples of a class is the same for every rho, and
so is that of all. Source: the regimes of arXiv 2604.13326, with exact sizes (the published code truncates).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set

import numpy as np

from figureground.core.errors import InputError
from figureground.data.spec import nearest

TOLERATED = 0.01
"""A correlation that misses the asked one by more is told."""
EVEN = -1.0
"""In place of a correlation: every group has as many samples as any other."""


def check_rho(rho: float) -> None:
    """Raise `InputError` where rho is no fraction."""
    if not 0 <= rho <= 1:
        raise InputError(f"`rho` must be in [0, 1], the part of a class's samples in its own context; got {rho}")


def check_val_rho(val_rho: float) -> None:
    """Raise `InputError` where the correlation of validation is no fraction, and not `EVEN` either."""
    if val_rho != EVEN and not 0 <= val_rho <= 1:
        raise InputError(
            "`val_rho` must be in [0, 1], the part of a class's validation samples in its own context, or -1 for every group alike; "
            f"got {val_rho}"
        )


def declared_ties(texts: Iterable[str], *, classes: Collection[str] = (), contexts: Collection[str] = ()) -> dict[str, str]:
    """Class -> context, of texts that hold one CLASS=CONTEXT or several with commas between them.

    Args:
        texts: what was given.
        classes: names that may have commas or equals signs in them: a text that is made of known classes and contexts is read as such.
        contexts: likewise.

    Raises:
        InputError: a part that is not CLASS=CONTEXT, or a class that is tied twice.

    Example:
        >>> declared_ties(["cat=in,dog=out", "bird=out"])
        {'cat': 'in', 'dog': 'out', 'bird': 'out'}
        >>> declared_ties(["cat, big=in,dog=out, far"], classes=["cat, big", "dog"], contexts=["in", "out, far"])
        {'cat, big': 'in', 'dog': 'out, far'}
    """
    most = 1 + sum(max((name.count(",") for name in names), default=0) for names in (classes, contexts))
    found: dict[str, str] = {}
    for text in texts:
        for name, context in _known_ties(text.split(","), set(classes), set(contexts), most) or _plain_ties(text):
            if name in found:
                raise InputError(f"`common` ties '{name}' twice, to '{found[name]}' and '{context}'. Tie each class to one context")
            found[name] = context
    return found


def _known_ties(parts: Sequence[str], classes: Set[str], contexts: Set[str], most: int) -> list[tuple[str, str]]:
    """Ties of known names alone that the parts, with their commas, are made of, each of up to `most` parts; empty where there are none."""
    for end in range(min(most, len(parts)), 0, -1):
        words = ",".join(parts[:end]).split("=")
        for at in range(1, len(words)):
            tie = "=".join(words[:at]).strip(), "=".join(words[at:]).strip()
            if tie[0] not in classes or tie[1] not in contexts:
                continue
            if end == len(parts):
                return [tie]
            if more := _known_ties(parts[end:], classes, contexts, most):
                return [tie, *more]
    return []


def _plain_ties(text: str) -> list[tuple[str, str]]:
    found = []
    for part in (part.strip() for part in text.split(",")):
        name, _, context = (word.strip() for word in part.partition("="))
        if not name or not context:
            comma = ". A name with a comma in it must be exactly as in the data" if "," in text else ""
            raise InputError(f"`common` must be CLASS=CONTEXT; got '{part}'. Give one for each class, such as cat=indoor{comma}")
        found.append((name, context))
    return found


def check_several(values: Sequence[str], *, of: str) -> None:
    """Raise `InputError` unless there are two classes or contexts at least, which `of` says."""
    if len(values) < 2:
        raise InputError(f"a correlation needs at least two values of {of}; got {', '.join(values) or 'none'}")


def ties(classes: Sequence[str], contexts: Sequence[str], common: Mapping[str, str] | None = None) -> dict[str, str]:
    """Class -> the context it is tied to: as `common` says, else the first class to the first context and so on, around.

    Raises:
        InputError: fewer than two classes or contexts; or `common` names what is not there, leaves a class out, or ties all classes to one
            context, for class and context are then independent whatever rho.
    """
    check_several(classes, of="class")
    check_several(contexts, of="context")
    if not common:
        return {name: contexts[place % len(contexts)] for place, name in enumerate(classes)}
    if unknown := [name for name in common if name not in classes]:
        raise InputError(
            f"`common` ties '{unknown[0]}', which is no class here.{nearest(unknown[0], classes)} There are {', '.join(classes)}"
        )
    if absent := [name for name in classes if name not in common]:
        raise InputError(f"`common` names no context for class '{absent[0]}'. Give CLASS=CONTEXT for each class")
    if wrong := [name for name in classes if common[name] not in contexts]:
        raise InputError(f"`common` ties class '{wrong[0]}' to '{common[wrong[0]]}', which is no context; there are {', '.join(contexts)}")
    if len(set(common.values())) < 2:
        raise InputError(
            f"`common` ties every class to '{common[classes[0]]}', so class and context would be independent whatever rho. Tie classes to "
            "at least two contexts"
        )
    return {name: common[name] for name in classes}


def group_counts(per_class: int, *, rho: float, contexts: int, own: Sequence[int]) -> np.ndarray:
    """Training samples of each group.

    Args:
        per_class: samples of each class, whatever rho.
        rho: part of them in the class's own context, in [0, 1].
        contexts: number of contexts, at least 2.
        own: index of its own context for each class.

    Returns:
        int64 [classes, contexts]; every row sums to `per_class`, the own context has round(rho * per_class) with halves up, and the others
        differ by at most 1, in turns so that no context is preferred.

    Example:
        >>> group_counts(20, rho=0.95, contexts=2, own=[0, 1]).tolist()
        [[19, 1], [1, 19]]
    """
    major = _at_home(per_class, rho)
    counts = np.zeros((len(own), contexts), np.int64)
    share, left = divmod(per_class - major, contexts - 1)
    for row, home in enumerate(own):
        others = _others(home, row=row, contexts=contexts)
        counts[row, home] = major
        counts[row, others] = share
        counts[row, others[:left]] += 1
    return counts


def context_order(per_class: int, *, rho: float, contexts: int, home: int, row: int, seed: int, stream: int = 0) -> np.ndarray:
    """The context of each sample of a class, int64 [per_class]: the counts of `group_counts`, laid out so that rho is a dial.

    Sample i has a rank that depends on seed, class and i alone, and stands in its own context when its rank is below rho. Those that do not
    are dealt to the other contexts from the last rank down, in an order that knows nothing of rho. So from one rho to a higher one samples
    only move into their own context, and all else about them can stay as it is.

    Args:
        per_class: samples of the class.
        rho: as for `group_counts`.
        contexts: number of contexts.
        home: index of the class's own context.
        row: number of the class.
        seed: decides the ranks.
        stream: likewise.
    """
    away = np.arange(per_class - _at_home(per_class, rho))
    placed = np.full(per_class, home, np.int64)
    placed[per_class - 1 - away] = np.take(_others(home, row=row, contexts=contexts), away % (contexts - 1))
    return placed[dial_ranks(per_class, row=row, seed=seed, stream=stream)]


def dial_ranks(per_class: int, *, row: int, seed: int, stream: int = 0) -> np.ndarray:
    """When each sample of a class moves into its own context as rho grows: int64 [per_class], a permutation of 0, 1, ...

    Args:
        per_class: samples of the class.
        row: number of the class.
        seed: decides the ranks.
        stream: likewise; training has 0.
    """
    return np.random.default_rng((seed, row, stream) if stream else (seed, row)).permutation(per_class)


def _at_home(per_class: int, rho: float) -> int:
    """Samples of a class in its own context: halves up."""
    check_rho(rho)
    return int(np.floor(rho * per_class + 0.5))


def _others(home: int, *, row: int, contexts: int) -> list[int]:
    """The other contexts of a class in the order in which they get samples; each class begins at another, so that none is preferred."""
    return [(home + 1 + (row + step) % (contexts - 1)) % contexts for step in range(contexts - 1)]
