"""How many samples each group gets at a correlation, and which sample stands where: the dial itself, free of any picture.

rho is the part of each class's training samples that stands in the context its class is tied to; the rest is spread evenly over the other
contexts. A class may be tied to several contexts: then rho is the part that stands in any of them, evenly spread, too. With H of K contexts
H / K is balance and 1 leaves no counterexample. The number of samples of a class is the same for every rho, and so is that of all. Source:
the regimes of arXiv 2604.13326, with exact sizes (the published code truncates); ties of many to many after Spawrious, arXiv 2303.05470.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set

import numpy as np

from figureground.core.errors import InputError
from figureground.core.ties import Common, Tie, join_ties, own_contexts
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


def declared_ties(texts: Iterable[str], *, classes: Collection[str] = (), contexts: Collection[str] = ()) -> dict[str, Tie]:
    """Class -> context, of texts that hold one CLASS=CONTEXT or several with commas between them; a class in several of them has several.

    Args:
        texts: what was given.
        classes: names that may have commas or equals signs in them: a text that is made of known classes and contexts is read as such.
        contexts: likewise.

    Raises:
        InputError: a part that is not CLASS=CONTEXT, or one that is there twice.

    Example:
        >>> declared_ties(["cat=in,dog=out", "bird=out", "bird=sea"])
        {'cat': 'in', 'dog': 'out', 'bird': ('out', 'sea')}
        >>> declared_ties(["cat, big=in,dog=out, far"], classes=["cat, big", "dog"], contexts=["in", "out, far"])
        {'cat, big': 'in', 'dog': 'out, far'}
    """
    most = 1 + sum(max((name.count(",") for name in names), default=0) for names in (classes, contexts))
    return join_ties(
        pair for text in texts for pair in _known_ties(text.split(","), set(classes), set(contexts), most) or _plain_ties(text)
    )


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


def ties(classes: Sequence[str], contexts: Sequence[str], common: Common | None = None) -> dict[str, Tie]:
    """Class -> what it is tied to: as `common` says, else the first class to the first context and so on, around.

    Raises:
        InputError: fewer than two classes or contexts; or `common` names what is not there, leaves a class out, ties a class to every
            context, which leaves nothing for its counterexamples, or all classes alike, for class and context are then independent whatever
            rho.
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
    own = {name: own_contexts(common, name) for name in classes}
    if wrong := [(name, context) for name in classes for context in own[name] if context not in contexts]:
        raise InputError(f"`common` ties class '{wrong[0][0]}' to '{wrong[0][1]}', which is no context; there are {', '.join(contexts)}")
    if everywhere := [name for name in classes if len(own[name]) == len(contexts)]:
        raise InputError(
            f"`common` ties class '{everywhere[0]}' to every context ({', '.join(contexts)}), so none is left to break its tie. Tie it to "
            "fewer, or use more contexts"
        )
    if len(set(map(frozenset, own.values()))) < 2:
        alike = "' and '".join(own[classes[0]])
        raise InputError(
            f"`common` ties every class to '{alike}', so class and context would be independent whatever rho. Tie "
            "classes to at least two contexts, and not all alike"
        )
    return {name: common[name] for name in classes}


def home_places(classes: Iterable[str], contexts: Sequence[str], common: Common) -> tuple[tuple[int, ...], ...]:
    """For each class the numbers of the contexts it is tied to."""
    return tuple(tuple(contexts.index(context) for context in own_contexts(common, name)) for name in classes)


def group_counts(per_class: int, *, rho: float, contexts: int, own: Sequence[Sequence[int]]) -> np.ndarray:
    """Training samples of each group.

    Args:
        per_class: samples of each class, whatever rho.
        rho: part of them in the class's own contexts, in [0, 1].
        contexts: number of contexts, at least 2.
        own: indices of its own contexts for each class, at least one and not all.

    Returns:
        int64 [classes, contexts]; every row sums to `per_class`, the own contexts together have round(rho * per_class) with halves up, and
        own ones, as well as others, differ by at most 1, in turns so that no context is preferred.

    Example:
        >>> group_counts(20, rho=0.95, contexts=2, own=[[0], [1]]).tolist()
        [[19, 1], [1, 19]]
        >>> group_counts(20, rho=0.95, contexts=4, own=[[0, 1], [0, 1], [2, 3]]).tolist()
        [[10, 9, 1, 0], [9, 10, 0, 1], [1, 0, 10, 9]]
    """
    major = at_home(per_class, rho)
    counts = np.zeros((len(own), contexts), np.int64)
    for row, homes in enumerate(own):
        for places, number in ((home_turns(homes, row), major), (other_turns(homes, row, contexts), per_class - major)):
            share, left = divmod(number, len(places))
            counts[row, places] = share
            counts[row, places[:left]] += 1
    return counts


def context_order(per_class: int, *, rho: float, contexts: int, homes: Sequence[int], row: int, seed: int, stream: int = 0) -> np.ndarray:
    """The context of each sample of a class, int64 [per_class]: the counts of `group_counts`, laid out so that rho is a dial.

    Sample i has a rank that depends on seed, class and i alone, and stands in its own context when its rank is below rho; of several own
    contexts the rank says which, in turns. Those that do not are dealt to the other contexts from the last rank down, in an order that
    knows nothing of rho. So from one rho to a higher one samples only move into their own context, and all else about them can stay as it
    is.

    Args:
        per_class: samples of the class.
        rho: as for `group_counts`.
        contexts: number of contexts.
        homes: indices of the class's own contexts.
        row: number of the class.
        seed: decides the ranks.
        stream: likewise.
    """
    rank, own, others = np.arange(per_class), np.array(home_turns(homes, row)), np.array(other_turns(homes, row, contexts))
    placed = np.where(rank < at_home(per_class, rho), own[rank % own.size], others[(per_class - 1 - rank) % others.size])
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


def at_home(per_class: int, rho: float) -> int:
    """Samples of a class in its own context or contexts: halves up."""
    check_rho(rho)
    return int(np.floor(rho * per_class + 0.5))


def home_turns(homes: Sequence[int], row: int) -> list[int]:
    """The own contexts of a class in the order in which they get samples; each class begins at another, so that none is preferred."""
    return [homes[(row + step) % len(homes)] for step in range(len(homes))]


def other_turns(homes: Sequence[int], row: int, contexts: int) -> list[int]:
    """The other contexts of a class, likewise."""
    ring = [place for step in range(1, contexts) if (place := (homes[0] + step) % contexts) not in homes]
    return [ring[(row + step) % len(ring)] for step in range(len(ring))]
