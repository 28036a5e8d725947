"""What a review waits for before it may end by itself."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, select

from figureground.review.done import Kind, counting, unanswered
from figureground.review.store import people, ratings
from figureground.review.store.clock import now
from figureground.review.store.people import Reviewer
from figureground.review.store.tables import mask, rating, sample


def outstanding(connection: Connection, *, kind: Kind, quorum: int, worst: int, labellers: int, checked: bool) -> list[int]:
    """The places that still lack an answer, by the rule of `review.done.unanswered`.

    Args:
        connection: in a read.
        kind: what is waited for.
        quorum: scores that a picture needs.
        worst: length of the work list of masks; 0 = every picture.
        labellers: masks that a picture of the list needs.
        checked: a mask counts once it was accepted; False = as soon as it is handed in.
    """
    places = connection.scalars(select(sample.c.place).order_by(sample.c.place)).all()
    opinions = {opinion.place: opinion for opinion in ratings.opinions(connection)}
    drawn = select(mask.c.place).where(mask.c.status.in_(counting(checked=checked)))
    masks = Counter(connection.scalars(drawn))
    return unanswered(places, opinions, masks, kind=kind, quorum=quorum, worst=worst, labellers=labellers)


def at_work(connection: Connection, *, seconds: float) -> list[Reviewer]:
    """Who rated within the last seconds, in the order they came."""
    recent = set(connection.scalars(select(rating.c.reviewer).where(rating.c.created >= now(minutes=-seconds / 60)).distinct()))
    return [person for person in people.everyone(connection) if person.number in recent]
