"""How far the work is: by whom, how fast, how well people agree, and what is left."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, select

from figureground.metrics.agreement import Bias, RepeatAgreement, krippendorff_alpha, pairwise_spearman, rater_bias, repeat_agreement
from figureground.review.store import checks, people, ratings
from figureground.review.store.people import Reviewer
from figureground.review.store.ratings import Rating
from figureground.review.store.tables import mask, patch, sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one reviewer did at one stage."""

    done: int
    seconds: float
    """Recorded at the page; 0 at checks, where it is not recorded."""
    per_hour: float
    """`done` over `seconds`; NaN without time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerProgress:
    """One reviewer."""

    reviewer: Reviewer
    ratings: Work
    """Live ratings, repeats counted."""
    patches: Work
    """Grids."""
    masks: Work
    """Masks handed in, whatever became of them; the seconds are also those of his drafts."""
    checks: Work
    returned: int
    """Of his masks, those that are with him again."""
    alpha: float
    """Krippendorff's alpha, ordinal, of him and the mean of the others, rounded to whole scores; NaN where it is not defined."""
    bias: Bias
    """How much higher than the others he rates."""
    repeats: RepeatAgreement
    """His second ratings against his first."""
    gold: RepeatAgreement
    """His ratings against the known ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """One stage, over all reviewers, in pictures (of checks, in masks)."""

    name: str
    """`rate`, `patches`, `mask` or `check`."""
    total: int
    done: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """All that the progress page says."""

    samples: int
    ratings: int
    """Live ones of first showings."""
    vetoed: int
    """Pictures that somebody said are out of domain."""
    settled: int
    """Pictures that have their quorum of scores and no veto."""
    stages: tuple[StageProgress, ...]
    masks: Mapping[str, int]
    """Masks by status."""
    alpha: float
    """Krippendorff's alpha of the scores, ordinal; see `krippendorff_alpha`."""
    spearman: float
    """Mean rank correlation of pairs of reviewers; see `pairwise_spearman`."""
    reviewers: tuple[ReviewerProgress, ...]
    """All people in the order they came, also those who did nothing yet."""


def progress(connection: Connection, *, quorum: int = 1, worst: int = 0, labellers: int = 1, grid: tuple[int, int] = (16, 16)) -> Progress:
    """How far everything is.

    Args:
        connection: in a read.
        quorum: scores that a picture needs.
        worst: length of the work list of masks, 0 = all pictures; see `worklist`.
        labellers: masks that each picture of the list needs.
        grid: rows and columns of the patches that are asked for.
    """
    samples = connection.scalar(select(func.count()).select_from(sample)) or 0
    found = ratings.table(connection)
    opinions = ratings.opinions(connection)
    known = people.everyone(connection)
    said = _scores(found, [person.number for person in known], showing=0, samples=samples)
    scores = np.where(np.isinf(said), np.nan, said)
    status: Counter[str] = Counter(connection.scalars(select(mask.c.status)))
    places = ratings.worklist(connection, worst=worst, quorum=quorum)
    vetoed = sum(opinion.vetoed for opinion in opinions)
    settled = sum(not opinion.vetoed and opinion.n >= max(quorum, 1) for opinion in opinions)
    return Progress(
        samples=samples,
        ratings=sum(rating.showing == 0 for rating in found),
        vetoed=vetoed,
        settled=settled,
        stages=(
            _stage("rate", samples, settled + vetoed),
            _stage("patches", samples, _patched(connection, grid, labellers)),
            _stage("mask", len(places), _masked(connection, places, labellers)),
            _stage("check", sum(status.values()) - status.get("draft", 0), status.get("accepted", 0)),
        ),
        masks=status,
        alpha=krippendorff_alpha(scores),
        spearman=pairwise_spearman(scores),
        reviewers=_reviewers(connection, known, found, said),
    )


def _reviewers(
    connection: Connection, known: Sequence[Reviewer], found: Sequence[Rating], said: np.ndarray
) -> tuple[ReviewerProgress, ...]:
    again = _scores(found, [person.number for person in known], showing=1, samples=said.shape[1])
    scores, gold = np.where(np.isinf(said), np.nan, said), np.full(said.shape[1], np.nan)
    for place, score in ratings.gold_scores(connection).items():
        gold[place] = math.inf if score is None else score
    rated = _work((rating.reviewer, 1, rating.seconds) for rating in found)
    patched = _work((who, 1, seconds) for who, seconds in connection.execute(select(patch.c.reviewer, patch.c.seconds)))
    drawn = list(connection.execute(select(mask.c.reviewer, mask.c.status, mask.c.seconds)))
    masked = _work((who, status != "draft", seconds) for who, status, seconds in drawn)
    checked = _work((check.reviewer, 1, check.seconds) for check in checks.table(connection))
    back = Counter(who for who, status, _ in drawn if status == "returned")
    biases = rater_bias(scores)
    return tuple(
        ReviewerProgress(
            reviewer=person,
            ratings=rated[person.number],
            patches=patched[person.number],
            masks=masked[person.number],
            checks=checked[person.number],
            returned=back[person.number],
            alpha=_alpha_to_others(scores, row),
            bias=biases[row],
            repeats=repeat_agreement(said[row], again[row]),
            gold=repeat_agreement(said[row], gold),
        )
        for row, person in enumerate(known)
    )


def _scores(found: Iterable[Rating], numbers: Sequence[int], *, showing: int, samples: int) -> np.ndarray:
    """float64 [reviewers, samples]: scores, inf where somebody said out of domain, NaN where nothing."""
    rows = {number: row for row, number in enumerate(numbers)}
    scores = np.full((len(numbers), samples), np.nan)
    for rating in found:
        if rating.showing == showing:
            scores[rows[rating.reviewer], rating.place] = math.inf if rating.score is None else rating.score
    return scores


def _alpha_to_others(scores: np.ndarray, row: int) -> float:
    others = np.delete(scores, row, axis=0)
    count = (~np.isnan(others)).sum(0)
    mean = np.divide(np.nansum(others, axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return krippendorff_alpha(np.stack([scores[row], np.round(mean)]))


def _work(done: Iterable[tuple[int, int, float]]) -> defaultdict[int, Work]:
    """Reviewer -> what he did, of (reviewer, how many, seconds)."""
    counts: Counter[int] = Counter()
    times: defaultdict[int, float] = defaultdict(float)
    for who, count, seconds in done:
        counts[who] += count
        times[who] += seconds
    nothing = Work(done=0, seconds=0.0, per_hour=math.nan)
    known = {
        who: Work(done=counts[who], seconds=time, per_hour=3600 * counts[who] / time if time > 0 else math.nan)
        for who, time in times.items()
    }
    return defaultdict(lambda: nothing, known)


def _stage(name: str, total: int, done: int) -> StageProgress:
    return StageProgress(name=name, total=total, done=min(done, total), left=max(total - done, 0))


def _patched(connection: Connection, grid: tuple[int, int], labellers: int) -> int:
    asked = select(patch.c.place).where(patch.c.rows == grid[0], patch.c.columns == grid[1])
    return len(connection.scalars(asked.group_by(patch.c.place).having(func.count() >= labellers)).all())


def _masked(connection: Connection, places: Sequence[int], labellers: int) -> int:
    """Pictures of the list that have as many masks as they need, handed in or accepted."""
    asked = select(mask.c.place).where(mask.c.status.in_(("submitted", "accepted")))
    return len(set(places) & set(connection.scalars(asked.group_by(mask.c.place).having(func.count() >= labellers))))
