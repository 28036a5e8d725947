"""Progress: every figure of the page, worked out by hand on a small project."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sqlalchemy import update

from figureground.metrics.agreement import krippendorff_alpha, pairwise_spearman, rater_bias
from figureground.review.store import checks, masks, patches, ratings
from figureground.review.store.progress import progress
from figureground.review.store.tables import mask as mask_table

SMALL = np.zeros((40, 60), np.uint8)
GRID = np.ones((4, 4), bool)


def rate(c, who, place, score, *, showing=0, seconds=10.0):
    ratings.save(c, who, place=place, showing=showing, score=score, out_of_domain=score is None, seconds=seconds)


def test_before_anybody_did_anything(database, team):
    """Zeros and undefined figures, never an error; all pictures are left."""
    with database.read() as c:
        found = progress(c, quorum=2, worst=5)
    assert (found.samples, found.ratings, found.vetoed, found.settled, dict(found.masks)) == (12, 0, 0, 0, {})
    assert [(stage.name, stage.total, stage.done, stage.left) for stage in found.stages] == [
        ("rate", 12, 0, 12),
        ("patches", 12, 0, 12),
        ("mask", 0, 0, 0),
        ("check", 0, 0, 0),
    ]
    assert math.isnan(found.alpha)
    assert math.isnan(found.spearman)
    assert [one.reviewer.name for one in found.reviewers] == ["Ann", "Bob", "Cleo"]
    ann = found.reviewers[0]
    assert (ann.ratings.done, ann.ratings.seconds, math.isnan(ann.ratings.per_hour), ann.returned) == (0, 0, True, 0)
    assert (math.isnan(ann.alpha), math.isnan(ann.bias.mean), ann.repeats.items, ann.gold.items) == (True, True, 0, 0)


def test_ratings_by_hand(database, team):
    """Quorum, veto, throughput, agreement, bias, repeats and gold; what was taken back counts nowhere."""
    ann, bob = [2, 3, 4, 5, None], [1, 3, 4, 4, 2]
    with database.write() as c:
        for place, (hers, his) in enumerate(zip(ann, bob, strict=True)):
            rate(c, team.ann, place, hers)
            rate(c, team.bob, place, his, seconds=30)
        rate(c, team.ann, 7, 1)
        rate(c, team.ann, 8, 1)
        ratings.undo(c, team.ann)
        rate(c, team.ann, 0, 2, showing=1)
        rate(c, team.ann, 1, 5, showing=1)
        rate(c, team.ann, 4, None, showing=1)
        ratings.set_gold(c, {0: 3, 3: 5, 4: None, 9: 1})
        found = progress(c, quorum=2, worst=3)
    assert (found.ratings, found.vetoed, found.settled) == (11, 1, 4)
    assert (found.stages[0].done, found.stages[0].left) == (5, 7)
    assert (found.stages[2].total, found.stages[2].left) == (3, 3)
    said = np.full((3, 12), np.nan)
    said[0, [0, 1, 2, 3, 7]], said[1, :5] = [2, 3, 4, 5, 1], bob
    assert found.alpha == krippendorff_alpha(said)
    assert found.spearman == pairwise_spearman(said) == pytest.approx(0.9486832980505138)
    first, second, third = found.reviewers
    assert (first.ratings.done, first.ratings.seconds, first.ratings.per_hour) == (9, 90, 360)
    assert (second.ratings.done, second.ratings.per_hour, third.ratings.done) == (5, 120, 0)
    assert (first.bias, second.bias.mean, first.bias.mean) == (rater_bias(said)[0], -0.5, 0.5)
    assert first.alpha == second.alpha == krippendorff_alpha(said[:2])
    assert math.isnan(third.alpha)
    assert (first.repeats.items, first.repeats.equal, first.repeats.difference) == (3, pytest.approx(2 / 3), 1)
    assert (first.gold.items, first.gold.equal, first.gold.difference) == (3, pytest.approx(2 / 3), 0.5)
    assert (second.gold.items, second.gold.equal, second.gold.difference) == (3, 0, 1.5)


def test_patches_masks_and_checks_by_hand(database, team):
    """What is asked for and done at each stage, in pictures; masks by status; whose came back; time of drafts counts too."""
    with database.write() as c:
        for place in (0, 1):
            patches.save(c, place, reviewer=team.ann, cells=GRID, version=0, seconds=18)
        patches.save(c, 0, reviewer=team.bob, cells=GRID, version=0, seconds=36)
        patches.save(c, 5, reviewer=team.bob, cells=np.ones((2, 2), bool), version=0, seconds=1)
        for place in range(4):
            number = masks.open_(c, place, reviewer=team.ann, start=SMALL).number
            version = masks.save_boxes(c, number, key="k", version=1, boxes=[], actions=3, seconds=90)
            if place:
                version = masks.submit(c, number, version=version)
            if place > 1:
                verdict = "accepted" if place == 2 else "returned"
                checks.save(c, team.bob, mask=number, version=version, verdict=verdict, seconds=12 * place)
        masks.submit(c, masks.open_(c, 2, reviewer=team.cleo, start=SMALL).number, version=1)
        found = progress(c, quorum=1, worst=0, labellers=1, grid=(4, 4))
        doubled = progress(c, quorum=1, worst=0, labellers=2, grid=(4, 4))
        c.execute(update(mask_table).values(status="accepted"))
        finished = progress(c)
    stages = {stage.name: (stage.total, stage.done, stage.left) for stage in found.stages}
    assert stages == {"rate": (12, 0, 12), "patches": (12, 2, 10), "mask": (12, 2, 10), "check": (4, 1, 3)}
    assert [(stage.done, stage.left) for stage in doubled.stages[1:3]] == [(1, 11), (1, 11)]
    assert dict(found.masks) == {"draft": 1, "submitted": 2, "accepted": 1, "returned": 1}
    ann, bob, cleo = found.reviewers
    assert (ann.patches.done, ann.patches.per_hour, bob.patches.done, bob.patches.seconds) == (2, 200, 2, 37)
    assert (ann.masks.done, ann.masks.seconds, ann.masks.per_hour, ann.returned) == (3, 360, 30, 1)
    assert (bob.checks.done, bob.checks.per_hour, cleo.masks.done, bob.returned) == (2, 120, 1, 0)
    assert [(stage.total, stage.left) for stage in finished.stages[2:]] == [(12, 8), (5, 0)]
