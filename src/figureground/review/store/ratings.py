"""Ratings: 1 bad ... 5 excellent or out of domain, taken back and replaced without losing what was said before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from figureground.core.errors import InputError
from figureground.metrics.agreement import mean_opinion
from figureground.review.store.clock import now
from figureground.review.store.limits import check_seconds, is_number, no_place
from figureground.review.store.people import hold
from figureground.review.store.refusals import Absent
from figureground.review.store.tables import gold, rating, sample

LOWEST, HIGHEST = 1, 5
_LIVE = rating.c.withdrawn.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a reviewer rates next."""

    items: tuple[tuple[int, int], ...]
    """Place and showing of the next few, in order."""
    left: int
    """All that he has still to rate, these among them, and the repeats of pictures that are still to come."""
    done: int
    """What he has rated, repeats counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the reviewers together say of a picture; repeats are not counted."""

    place: int
    n: int
    """Scores; who said out of domain gave none."""
    mean: float
    """Mean opinion score in [1, 5]; NaN without a score."""
    sd: float
    """Standard deviation with n - 1; NaN below two scores."""
    low: float
    """Low end of the 95 % interval of the mean by Student's t, cut to [1, 5]; NaN below two scores."""
    high: float
    vetoed: bool
    """Somebody said out of domain, which takes the picture out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One rating as it was given."""

    number: int
    place: int
    reviewer: int
    showing: int
    score: int | None
    out_of_domain: bool
    seconds: float
    created: str
    withdrawn: str | None


def save(
    connection: Connection, reviewer: int, *, place: int, showing: int, score: int | None, out_of_domain: bool, seconds: float
) -> bool:
    """Notes a rating; another value than the live one withdraws that, the same value changes nothing.

    Args:
        connection: in a write.
        reviewer: his number.
        place: of the picture.
        showing: 0, or 1 for a hidden repeat.
        score: 1 to 5, None with `out_of_domain`.
        out_of_domain: the picture shows nothing that belongs here.
        seconds: from seeing the picture to the key.

    Returns:
        True where something was written.

    Raises:
        InputError: a value outside these.
        Absent: no such place or reviewer.
    """
    _check(showing, score, out_of_domain=out_of_domain)
    check_seconds(seconds)
    hold(connection, reviewer)
    found = _live_one(connection, reviewer, place, showing)
    if found.number is not None and (found.score, found.out_of_domain) == (score, out_of_domain):
        return False
    moment = now()
    if found.number is not None:
        connection.execute(update(rating).where(rating.c.number == found.number).values(withdrawn=moment))
    values = {"place": place, "reviewer": reviewer, "showing": showing, "score": score, "out_of_domain": out_of_domain}
    connection.execute(insert(rating).values(**values, seconds=seconds, created=moment))
    return True


def _live_one(connection: Connection, reviewer: int, place: int, showing: int) -> Row:
    """Number, score and word of the live rating, all null where there is none yet; `Absent` where the project has no such place."""
    mine = and_(rating.c.place == sample.c.place, rating.c.reviewer == reviewer, rating.c.showing == showing, _LIVE)
    asked = select(rating.c.number, rating.c.score, rating.c.out_of_domain).select_from(sample).outerjoin(rating, mine)
    found = connection.execute(asked.where(sample.c.place == place)).one_or_none() if is_number(place) else None
    if found is None:
        raise no_place(place)
    return found


def undo(connection: Connection, reviewer: int) -> tuple[int, int] | None:
    """Takes back the reviewer's last live rating, and again the one before; place and showing of it, None where none is left."""
    hold(connection, reviewer)
    last = select(rating.c.number, rating.c.place, rating.c.showing).where(rating.c.reviewer == reviewer, _LIVE)
    found = connection.execute(last.order_by(rating.c.number.desc()).limit(1)).one_or_none()
    if found is None:
        return None
    connection.execute(update(rating).where(rating.c.number == found.number).values(withdrawn=now()))
    return found.place, found.showing


def next_items(connection: Connection, reviewer: int, *, plan: Sequence[tuple[int, int]], count: int, quorum: int) -> Due:
    """The next things for a reviewer, in the order of his plan.

    A picture that has its quorum from others, or a veto, is passed over, unless it is gold; a repeat comes only where he rated the
    first showing.

    Args:
        connection: any.
        reviewer: his number.
        plan: from `schedule`.
        count: how many to name.
        quorum: scores that a picture needs.
    """
    own = select(rating.c.place, rating.c.showing).where(rating.c.reviewer == reviewer, _LIVE)
    rated = {(place, showing) for place, showing in connection.execute(own)}
    enough = _settled(connection, quorum)
    open_ = {place for place, showing in plan if showing == 0 and (place, 0) not in rated and place not in enough}
    first = {place for place, showing in rated if showing == 0}
    due = [(place, s) for place, s in plan if (place, s) not in rated and place in (first | open_ if s else open_)]
    ready = [(place, showing) for place, showing in due if showing == 0 or place in first]
    return Due(items=tuple(ready[:count]), left=len(due), done=len(rated))


def opinions(connection: Connection) -> list[Opinion]:
    """What is thought of every picture that was rated, by place."""
    scores: dict[int, list[int]] = {}
    vetoed: set[int] = set()
    asked = select(rating.c.place, rating.c.score).where(rating.c.showing == 0, _LIVE).order_by(rating.c.place, rating.c.number)
    for place, score in connection.execute(asked):
        given = scores.setdefault(place, [])
        if score is None:
            vetoed.add(place)
        else:
            given.append(score)
    return [_opinion(place, given, vetoed=place in vetoed) for place, given in scores.items()]


def worklist(connection: Connection, *, worst: int, quorum: int) -> list[int]:
    """The places to draw masks for.

    Args:
        connection: any.
        worst: so many with the lowest mean opinion score, lowest first, ties by place, of those that have their quorum of scores;
            0 = all places, in the order of the queue, rated or not.
        quorum: scores that a picture needs to count.

    Returns:
        Places; those with a veto are left out.
    """
    found = opinions(connection)
    if worst == 0:
        vetoed = {opinion.place for opinion in found if opinion.vetoed}
        return [place for place in connection.scalars(select(sample.c.place).order_by(sample.c.place)) if place not in vetoed]
    settled = [opinion for opinion in found if not opinion.vetoed and opinion.n >= max(quorum, 1)]
    return [opinion.place for opinion in sorted(settled, key=lambda opinion: (opinion.mean, opinion.place))[:worst]]


def table(connection: Connection, *, live: bool = True) -> list[Rating]:
    """Every rating in the order they came; those that were taken back only where `live` is false."""
    asked = select(rating).order_by(rating.c.number)
    return [Rating(**row._mapping) for row in connection.execute(asked.where(_LIVE) if live else asked)]


def set_gold(connection: Connection, scores: Mapping[int, int | None]) -> None:
    """Replaces the gold items: places whose score is known; None = out of domain.

    Raises:
        InputError: a score outside 1 to 5.
        Absent: no such place.
    """
    if bad := [score for score in scores.values() if score is not None and not LOWEST <= score <= HIGHEST]:
        raise InputError(f"a gold score is {LOWEST} to {HIGHEST}, or none for out of domain; got {bad[0]}")
    if unknown := set(scores) - set(connection.scalars(select(sample.c.place))):
        raise Absent(f"a gold item is of place {min(unknown)}, which the project does not have")
    connection.execute(delete(gold))
    if scores:
        connection.execute(insert(gold), [{"place": place, "score": score} for place, score in scores.items()])


def gold_scores(connection: Connection) -> dict[int, int | None]:
    """The gold items: place -> score, None = out of domain."""
    return {row.place: row.score for row in connection.execute(select(gold.c.place, gold.c.score).order_by(gold.c.place))}


def _settled(connection: Connection, quorum: int) -> set[int]:
    """Places that need no more scores. Only columns of one index are asked for, so that the ratings themselves are not read."""
    veto = func.max(rating.c.place).filter(rating.c.out_of_domain)
    enough = or_(func.count().filter(~rating.c.out_of_domain) >= quorum, veto.is_not(None))
    asked = select(rating.c.place).where(rating.c.showing == 0, _LIVE).group_by(rating.c.place).having(enough)
    return set(connection.scalars(asked)) - set(gold_scores(connection))


def _opinion(place: int, scores: list[int], *, vetoed: bool) -> Opinion:
    mean, sd, low, high = mean_opinion(scores, lowest=LOWEST, highest=HIGHEST)
    return Opinion(place=place, n=len(scores), mean=mean, sd=sd, low=low, high=high, vetoed=vetoed)


def _check(showing: int, score: int | None, *, out_of_domain: bool) -> None:
    if showing not in (0, 1):
        raise InputError(f"a showing is 0, or 1 for a repeat; got {showing}")
    if (score is None) != out_of_domain:
        raise InputError("a rating is a score or out of domain, one of the two")
    if score is not None and not LOWEST <= score <= HIGHEST:
        raise InputError(f"a score is {LOWEST} to {HIGHEST}; got {score}")
