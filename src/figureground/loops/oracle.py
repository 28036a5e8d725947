"""Known truth that answers instead of people, for experiments: ratings and masks, with a stated noise."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.labelmap import encode_runs
from figureground.data.labels import GivenMask, GivenRating, Labels, MeanOpinion, Person
from figureground.loops.asking import Asked
from figureground.loops.labels_file import write_answers
from figureground.loops.options import OracleOptions
from figureground.loops.recipe import Recipe
from figureground.metrics.agreement import mean_opinion
from figureground.metrics.joint import counts_of_runs
from figureground.metrics.overlap import counts_by_class
from figureground.metrics.ranking import sample_scores
from figureground.metrics.regions import component_runs
from figureground.stages.rank.queue import read_queue

NEVER = "1970-01-01T00:00:00+00:00"
"""When an oracle answers: the same bytes whenever it is asked."""
NAME = "oracle"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Oracle:
    """Answers from the masks of the pool, the same answer to the same question."""

    truth: Dataset
    options: OracleOptions

    def ask(self, asked: Asked) -> None:
        """Writes the labels.

        Raises:
            InputError: a sample whose truth is not known.
        """
        if lacking := [i for i in asked.ids if i not in set(self.truth.ids)]:
            raise InputError(
                f"the oracle does not know the truth of {len(lacking)} of {len(asked.ids)} samples, such as '{lacking[0]}'. "
                "Name the data set with the masks of the pool: [oracle] truth"
            )
        masks = {i: self._mask(i) for i in asked.ids}
        rated = asked.state == "rating"
        found = self._ratings(asked, masks) if rated else self._masks(asked, masks)
        told = {"oracle": True, "rating_noise": self.options.rating_noise, "mask_noise": self.options.mask_noise, "seed": asked.seed}
        write_answers(asked.labels, found, options=told)

    def _mask(self, sample_id: str) -> LabelRuns:
        assert self.truth.masks is not None
        return self.truth.masks.read(sample_id)

    def _ratings(self, asked: Asked, masks: Mapping[str, LabelRuns]) -> Labels:
        """As many ratings as the quorum asks for: 1 + 4 mIoU of the target's map with the truth, with noise, rounded to 1 ... 5."""
        queue = read_queue(asked.project)
        ratings, opinions = list[GivenRating](), list[MeanOpinion]()
        for i in asked.ids:
            quality = sample_miou(masks[i], queue.maps[i][queue.models[0]], self.truth.classes)
            drawn = _random(asked.seed, f"rating {i}").normal(0, self.options.rating_noise, asked.people.quorum)
            scores = [int(np.clip(round(1 + 4 * quality + noise), 1, 5)) for noise in drawn]
            opinions.append(_opinion(i, scores))
            ratings += [_rating(i, f"{NAME}-{number}", score) for number, score in enumerate(scores, start=1)]
        return _labels(self.truth.classes, asked.people.quorum, ratings=tuple(ratings), opinions=tuple(opinions))

    def _masks(self, asked: Asked, masks: Mapping[str, LabelRuns]) -> Labels:
        images = {sample.id: sample.image for sample in self.truth.samples}
        status = "accepted" if asked.people.checked else "submitted"
        given = tuple(
            GivenMask(
                id=i,
                reviewer=f"{NAME}-{number}",
                status=status,
                runs=misnamed(masks[i], self.truth.classes, part=self.options.mask_noise, seed=asked.seed, name=f"mask {number} {i}"),
                image=images[i],
                version=1,
                actions=1,
                seconds=0.0,
                created=NEVER,
                updated=NEVER,
            )
            for i in asked.ids
            for number in range(1, asked.people.labellers + 1)
        )
        return _labels(self.truth.classes, asked.people.labellers, masks=given)


def open_oracle(recipe: Recipe) -> Oracle:
    """The oracle of a recipe; a data set without masks raises `InputError`."""
    truth = open_dataset(recipe.oracle.truth or recipe.pool)
    if truth.masks is None:
        raise InputError(
            f"{truth.name}: an oracle needs masks, and there are none. Name the data set that has those of the pool: [oracle] truth"
        )
    return Oracle(truth=truth, options=recipe.oracle)


def sample_miou(truth: LabelRuns, predicted: LabelRuns, classes: ClassTable) -> float:
    """Mean IoU over the classes that are in the truth or in the prediction of one sample; 1 where no pixel counts."""
    counts = counts_by_class([counts_of_runs(truth, predicted, ignore=classes.ignore)], ids=classes.ids)
    found = float(sample_scores(counts.hits, counts.truth, counts.predicted)[0])
    return 1.0 if math.isnan(found) else found


def misnamed(truth: LabelRuns, classes: ClassTable, *, part: float, seed: int, name: str) -> LabelRuns:
    """The mask with some of its regions under another foreground class: each with probability `part`, by seed and name."""
    if not part or len(classes.foreground) < 2:
        return truth
    random, dense = _random(seed, name), truth.dense().copy()
    regions = component_runs(truth, background=classes.background, ignore=classes.ignore)
    new = np.array(regions.class_id)
    for number, own in enumerate(regions.class_id.tolist()):
        if random.random() < part:
            new[number] = random.choice([i for i in classes.foreground if i != own])
    for row, start, stop, component in zip(regions.row, regions.start, regions.stop, regions.component, strict=True):
        dense[row, start:stop] = new[component]
    return encode_runs(dense)


def _random(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"{seed}\t{name}".encode()).digest()[:8], "big"))


def _opinion(sample_id: str, scores: list[int]) -> MeanOpinion:
    mean, sd, low, high = mean_opinion(scores)
    return MeanOpinion(id=sample_id, n=len(scores), mean=mean, sd=sd, low=low, high=high, vetoed=False)


def _rating(sample_id: str, reviewer: str, score: int) -> GivenRating:
    return GivenRating(
        id=sample_id,
        reviewer=reviewer,
        showing=0,
        score=score,
        out_of_domain=False,
        seconds=0.0,
        created=NEVER,
        withdrawn=None,
    )


def _labels(classes: ClassTable, people: int, **said: Any) -> Labels:
    known = tuple(Person(name=f"{NAME}-{number}", role="reviewer", created=NEVER, revoked=None) for number in range(1, people + 1))
    empty: dict[str, Any] = {"ratings": (), "opinions": (), "patches": (), "masks": (), "checks": ()}
    return Labels(classes=classes, reviewers=known, **(empty | said))
