"""The rank stage: chooses the test set of a queue, waits for its masks, and ranks models on it."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from figureground.core.errors import ArtifactError, InputError
from figureground.core.types import LabelRuns, Sample
from figureground.core.whole_file import write_atomically
from figureground.data.labels import GivenMask
from figureground.data.predictions import Predictions
from figureground.data.tables import read_table, unique_ids
from figureground.data.write import write_table_and_toml
from figureground.metrics.ranking import pair_members
from figureground.metrics.standings import Standings, standings
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, is_artifact, read_manifest, to_json
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import write_table
from figureground.stages.rank.chart import ranking_svg
from figureground.stages.rank.options import RankOptions
from figureground.stages.rank.queue import Queue, fingerprint, main_object
from figureground.stages.rank.result import KIND, stands
from figureground.stages.rank.score import Scored, check_duel, read_maps, score
from figureground.stages.rank.summary import summarise
from figureground.stages.rank.tables import candidate_table, model_table, pair_table, score_table, stability_table
from figureground.stages.rank.testset import Candidate, Decision, choose_test_set, given_test_set
from figureground.stages.rank.truth import Truth, digest_of, read_truth
from figureground.stages.rank.used import Trained, every_file, read_trained, used_for_training

SCHEMA = 1
TEST = "test"
"""Folder of the artifact that holds the test set as a data set, so that people can be shown it."""

Maps = Sequence[Sequence[LabelRuns]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Test:
    """The test set with what is known of it."""

    decisions: Sequence[Decision]
    ids: tuple[str, ...]
    truth: Truth
    trained: Sequence[Trained]

    @property
    def waiting(self) -> tuple[str, ...]:
        """Ids of samples whose mask is not there."""
        return tuple(i for i in self.ids if i not in self.truth.masks)


def run_rank(
    queue: Queue,
    models: Sequence[Predictions],
    *,
    options: RankOptions,
    out: Path,
    duel: bool = False,
    reporter: Reporter | None = None,
) -> Path:
    """Chooses the test set of a queue and, where all its masks are there, ranks models on it; writes the artifact `ranking`.

    `candidates.parquet` says of every candidate why it is in or out; `test/` is the test set as a data set, to be labelled. With the masks:
    `ranking.json`, the tables `models`, `pairs`, `scores` and `stability`, and `ranking.svg`. While masks wait there are none of those, and
    the manifest's `details` list the samples that wait.

    Args:
        queue: whose samples are the candidates.
        models: with distinct names; none = the test set alone is chosen. Every one must have a prediction of every sample of the set.
        options: which candidates, whose masks, how models are ranked.
        out: directory of the artifact; there already with the same key = nothing is done.
        duel: two models compete on the samples of their own queue on which they disagree most.
        reporter: where notes are told; default nowhere.

    Returns:
        `out`.

    Raises:
        InputError: one model only, no candidate left, labels of other classes, a test set that overlaps with training, or a duel of models
            that the queue is not of.
        FormatError: a sample without a prediction, a prediction of another size than the mask, labels of unknown samples, or a fault in the
            files.
        ArtifactError: an artifact that cannot be read, or of another kind.
    """
    reporter = reporter or QuietReporter()
    _check(models, options, duel=duel)
    test = _test_set(queue, options, duel=duel, reporter=reporter)
    maps = [read_maps(model, test.ids) for model in models]
    if duel:
        check_duel(queue, models, maps, test.ids)
    settings = {**dataclasses.asdict(options), "duel": duel}
    inputs = _inputs(queue, models, maps, test)
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key) and stands(out):
        reporter.say(f"{out}: this ranking is there already, nothing to do")
        return out
    masks = None if test.waiting or not models else {i: test.truth.masks[i].runs for i in test.ids}
    scored = None
    if masks:
        scored = score(models, maps, masks, classes=queue.classes, ignore=test.truth.ignore, resize=options.resize)
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=_sources(queue, models, test), reporter=reporter)
    _write_test(writer.path, queue, test)
    if scored is not None:
        _write_ranking(writer.path, scored, [model.name for model in models], test.ids, duel=duel, options=options, reporter=reporter)
    counts = {
        "candidates": len(test.decisions),
        "samples": len(test.ids),
        "masks": len(test.ids) - len(test.waiting),
        "models": len(models),
    }
    details = _details(queue, models, test, duel=duel, ranked=scored is not None)
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, details=details)
    return out


def _check(models: Sequence[Predictions], options: RankOptions, *, duel: bool) -> None:
    names = [model.name for model in models]
    if len(set(names)) != len(names):
        raise InputError(f"the models must have distinct names; got {', '.join(names)}. Give one as NAME=SPEC")
    if duel and len(models) != 2:
        raise InputError(f"a duel is between two models; got {len(models)}")
    if len(models) == 1:
        raise InputError(f"a ranking needs at least two models; got '{names[0]}' alone. Give the predictions of another one, or of none")
    places = {Path(where).resolve() for where in options.labels}
    if twice := [where for where in options.train if Path(where).resolve() in places]:
        raise InputError(
            f"{twice[0]} is given to --labels and to --train: what was trained on cannot test. Give --train a table with the ids that were "
            "trained on, or other labels"
        )
    if options.known and Path(options.known).resolve() in places:
        raise InputError(
            f"{options.known} is given to --labels and to --known: masks that arrive would change the test set. Give --known labels that "
            "stay as they are, or leave it out"
        )


def _test_set(queue: Queue, options: RankOptions, *, duel: bool, reporter: Reporter) -> _Test:
    ids = [row["id"] for row in queue.rows]
    truth = read_truth(options.labels, queue.classes, set(ids), masks=options.masks, unknown=options.unknown)
    known: Mapping[str, GivenMask] = {}
    if options.known:
        known = read_truth([options.known], queue.classes, set(ids), masks="submitted", unknown="ignore").masks
    trained = [read_trained(spec) for spec in options.train]
    images = queue.images
    used = used_for_training({i: images.get(i) for i in ids}, trained, reporter=reporter)
    candidates = [_candidate(queue, row, vetoed=row["id"] in truth.vetoed, used=used.get(row["id"]), known=known) for row in queue.rows]
    if options.test:
        decisions = given_test_set(candidates, _given_ids(options.test), where=options.test)
    else:
        decisions = choose_test_set(candidates, size=options.size, per_object=options.per_object, seed=options.seed, duel=duel)
    chosen = tuple(d.candidate.id for d in decisions if d.place is not None)
    if not chosen:
        counts = Counter(d.kind for d in decisions)
        told = ", ".join(f"{counts[kind]} {kind}" for kind in ("out of domain", "trained on", "not given") if counts[kind])
        raise InputError(f"{queue.where}: none of its {len(decisions)} candidates is left to test: {told}. Mine a larger or another pool")
    return _Test(decisions=decisions, ids=chosen, truth=truth, trained=trained)


def _candidate(queue: Queue, row: Mapping[str, Any], *, vetoed: bool, used: str | None, known: Mapping[str, GivenMask]) -> Candidate:
    i = row["id"]
    maps = [known[i].runs] if i in known else list(queue.maps[i].values())
    return Candidate(
        id=i,
        main_object=main_object(maps, queue.classes),
        said_by="mask" if i in known else "models",
        vetoed=vetoed,
        used=used,
        discrepancy=math.nan if row["discrepancy"] is None else row["discrepancy"],
        direction=row["direction"],
    )


def _given_ids(where: str) -> list[str]:
    """The test set of an earlier ranking, in its order, or the ids of a table."""
    folder = Path(where)
    if not is_artifact(folder):
        return unique_ids(read_table(where))
    if not (ids := read_manifest(folder, kind=KIND).details.get("test")):
        raise ArtifactError(f"{folder}: its manifest does not tell the test set. Rank again with the same command")
    return list(ids)


def _inputs(queue: Queue, models: Sequence[Predictions], maps: Maps, test: _Test) -> dict[str, str]:
    """Digests of all that decides: by content, so that a file which was only copied changes nothing."""
    body = [(d.candidate.id, d.place, d.kind, d.reason, d.candidate.main_object) for d in test.decisions]
    there = [i for i in test.ids if i in test.truth.masks]
    return {
        "queue": fingerprint(queue),
        "candidates": hashlib.sha256(to_json(body, indent=None).encode()).hexdigest(),
        "masks": digest_of({i: test.truth.masks[i].runs for i in there}),
        **{f"predictions:{model.name}": digest_of(dict(zip(test.ids, own, strict=True))) for model, own in zip(models, maps, strict=True)},
    }


def _sources(queue: Queue, models: Sequence[Predictions], test: _Test) -> Iterator[str | Path]:
    yield from queue.where.iterdir()
    yield from test.truth.files
    yield from every_file(test.trained)
    for model in models:
        yield from model.every_file()


def _write_test(folder: Path, queue: Queue, test: _Test) -> None:
    """The candidates, and the test set as a data set without masks."""
    write_table(folder / "candidates.parquet", candidate_table(test.decisions, queue.images))
    (folder / TEST).mkdir(exist_ok=True)
    chosen = [d.candidate for d in test.decisions if d.place is not None]
    samples = [Sample(id=c.id, image=queue.images.get(c.id), attributes={"main_object": c.main_object or ""}) for c in chosen]
    write_table_and_toml(
        folder / TEST,
        name=f"{queue.manifest.details['pool']}-test",
        classes=queue.classes,
        samples=samples,
        common={},
        label=None,
        context=None,
    )


def _write_ranking(
    folder: Path, scored: Scored, names: Sequence[str], ids: Sequence[str], *, duel: bool, options: RankOptions, reporter: Reporter
) -> None:
    members = pair_members(scored.distances, options.pair_samples)
    found = standings(
        scored.counts,
        members=members,
        resamples=options.resamples,
        seed=options.seed,
        level=options.level,
        stable=options.stable,
    )
    _say_notes(scored, found, names, reporter)
    models, pairs = model_table(found, names), pair_table(found, names, members, level=options.level)
    void = int(np.isnan(found.scores[:, 0]).sum())
    summary = summarise(found, models, pairs, samples=ids, void=void, duel=duel, options=options)
    write_table(folder / "models.parquet", models)
    write_table(folder / "pairs.parquet", pairs)
    write_table(folder / "scores.parquet", score_table(found, names, ids))
    write_table(folder / "stability.parquet", stability_table(found))
    write_atomically(folder / "ranking.json", to_json(summary).encode())
    write_atomically(folder / "ranking.svg", ranking_svg(summary))


def _say_notes(scored: Scored, found: Standings, names: Sequence[str], reporter: Reporter) -> None:
    if void := int(np.isnan(found.scores[:, 0]).sum()):
        reporter.say(f"note: {void} masks of the test set are all void, so these samples count for nothing")
    for i, name in enumerate(names):
        if twins := [other for j, other in enumerate(names) if j > i and not np.nan_to_num(scored.distances[:, i, j]).any()]:
            reporter.say(f"warning: '{name}' and '{twins[0]}' have the same maps of the whole test set: are they the same model?")


def _details(queue: Queue, models: Sequence[Predictions], test: _Test, *, duel: bool, ranked: bool) -> dict[str, Any]:
    details, classes = queue.manifest.details, queue.classes
    return {
        "state": "ranked" if ranked else "waiting",
        "queue": queue.where.name,
        "pool": details["pool"],
        "classes": list(classes.names),
        "ids": list(classes.ids),
        "background": classes.background,
        "ignore": test.truth.ignore,
        "duel": duel,
        "models": [model.name for model in models],
        "decisions": dict(Counter(d.kind for d in test.decisions)),
        "objects": dict(Counter(d.candidate.main_object or "" for d in test.decisions if d.place is not None)),
        "test": list(test.ids),
        "waiting": list(test.waiting),
        "unchecked": sum(i in test.truth.unchecked for i in test.waiting),
    }
