"""When a review is done: the pictures that still lack an answer, by what people said of them. Needs neither a server nor its database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar, cast, get_args

from figureground.core.errors import InputError
from figureground.data.labels import Labels, MaskStatus

Kind = Literal["rated", "masked"]
"""What is waited for: scores of every picture, or masks of those on the work list."""
KINDS: tuple[Kind, ...] = get_args(Kind)
_Picture = TypeVar("_Picture", bound=Hashable)


class Said(Protocol):
    """What reviewers together say of a picture."""

    @property
    def n(self) -> int:
        """Scores."""
        ...

    @property
    def mean(self) -> float:
        """Mean opinion score; NaN without a score."""
        ...

    @property
    def vetoed(self) -> bool:
        """Somebody said out of domain."""
        ...


def waiting(
    labels: Labels, ids: Iterable[str], *, kind: Kind, quorum: int = 1, worst: int = 0, labellers: int = 1, checked: bool = True
) -> list[str]:
    """The pictures that still lack an answer, by a labels artifact; none = all is answered.

    Args:
        labels: of the review; see `figureground.data.labels.read_labels`.
        ids: every picture that was asked, in the order of the queue; one of which nothing was said lacks its answer.
        kind: `rated` or `masked`; see `unanswered`.
        quorum: scores that a picture needs.
        worst: so many with the lowest mean opinion scores need masks; 0 = all.
        labellers: masks that a picture needs.
        checked: a mask counts once it was accepted; False = as soon as it is handed in.

    Raises:
        InputError: another kind.
    """
    opinions = {opinion.id: opinion for opinion in labels.opinions}
    masks = Counter(mask.id for mask in labels.masks if mask.status in counting(checked=checked))
    return unanswered(list(ids), opinions, masks, kind=kind, quorum=quorum, worst=worst, labellers=labellers)


def unanswered(
    pictures: Sequence[_Picture],
    opinions: Mapping[_Picture, Said],
    masks: Mapping[_Picture, int],
    *,
    kind: Kind,
    quorum: int,
    worst: int,
    labellers: int,
) -> list[_Picture]:
    """Those of the pictures that still lack an answer, in their order.

    Whom somebody called out of domain lacks nothing. `rated`: a picture has its quorum of scores. `masked`: each on the work list has as
    many masks as there are labellers. With `worst` = 0 that is every picture; else the list stands only once all are rated, so that those
    without their quorum are among the waiting too.

    Args:
        pictures: all that were asked, in the order of the queue, which decides between equal scores.
        opinions: of those that were rated.
        masks: how many that count each has; see `counting`.
        kind: what is waited for.
        quorum: scores that a picture needs.
        worst: length of the work list; 0 = every picture.
        labellers: masks that a picture of the list needs.

    Raises:
        InputError: another kind.

    >>> unanswered(["a", "b"], {}, {"a": 1}, kind="masked", quorum=1, worst=0, labellers=1)
    ['b']
    """
    kind = kind_of(kind)
    left = [one for one in pictures if one not in opinions or not opinions[one].vetoed]
    unrated = {one for one in left if one not in opinions or opinions[one].n < max(quorum, 1)}
    if kind == "rated":
        return [one for one in left if one in unrated]
    listed = set(left if worst == 0 else sorted((one for one in left if one not in unrated), key=lambda one: opinions[one].mean)[:worst])
    lacking = {one for one in listed if masks.get(one, 0) < labellers} | (unrated if worst else set())
    return [one for one in left if one in lacking]


def counting(*, checked: bool) -> tuple[MaskStatus, ...]:
    """Status of the masks that count."""
    return ("accepted",) if checked else ("accepted", "submitted")


def kind_of(text: str) -> Kind:
    """The kind of that name; anything else raises `InputError`."""
    if text not in KINDS:
        raise InputError(f"a review ends by itself once all is {' or '.join(KINDS)}; got '{text[:80]}'")
    return cast(Kind, text)
