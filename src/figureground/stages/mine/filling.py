"""Quotas are filled from the best candidates; where those that were kept are all passed over, the pool is gone through again for more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import Fault
from figureground.runs.artifact import ArtifactWriter
from figureground.runs.executor import Executor
from figureground.runs.progress import Reporter
from figureground.stages.mine.admission import PictureAdmission
from figureground.stages.mine.choose import Choice, choose
from figureground.stages.mine.duplicates import Seen
from figureground.stages.mine.measure import ChunkMeter
from figureground.stages.mine.passage import Tally, go_through
from figureground.stages.mine.round import Round
from figureground.stages.mine.selectors import Selection
from figureground.stages.mine.training import Training

RESERVE = 4
"""Candidates kept for each place of a quota where some may be passed over, and by how much that grows where they were not enough."""
MOST_KEPT = 2_000_000
"""Candidates of all quotas together that are ever kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filled:
    """What was gone through and what was chosen."""

    tally: Tally
    choice: Choice
    admission: PictureAdmission
    """Knows which pictures could not be read."""


def fill(
    mined: Round,
    features: Mapping[str, tuple[float, ...]] | None,
    known: Training,
    *,
    writer: ArtifactWriter,
    executor: Executor,
    reporter: Reporter,
) -> Filled:
    """Goes through the pool and fills the quotas, as if every candidate had been kept.

    Args:
        mined: the round.
        features: id -> numbers, for core-sets.
        known: training pictures, whose near-duplicates are passed over.
        writer: of the artifact in the making.
        executor: where predictions are compared.
        reporter: where progress is told.

    Raises:
        FormatError: more faulty predictions than are allowed, or a table that cannot be read.
    """
    near = mined.options.near if mined.options.deduplicate else None
    reserve, hashes = 1 if near is None else RESERVE, dict[str, int | Fault]()
    while True:
        keep = tuple(group.quota * reserve for group in mined.groups)
        meter = _meter(mined, features, keep)
        tally = go_through(mined, meter, state=f"passage-{reserve}.parquet", writer=writer, executor=executor, reporter=reporter)
        seen = Seen(known.hashes, [f"training picture '{i}'" for i in known.names])
        admission = PictureAdmission(mined.pool, tally.table["id"].to_pylist(), seen, near=near, hashes=hashes)
        choice = choose(tally.table, mined.groups, budget=mined.options.budget, admission=admission)
        short = _ran_out(mined, tally, choice, keep)
        if not short or sum(keep) * RESERVE > MOST_KEPT:
            break
        reserve *= RESERVE
        reporter.say(f"note: {_told(short)} after {len(choice.refused)} samples were passed over: the predictions are read again for more")
    if short:
        reporter.say(f"note: {_told(short)} although there are more samples for them: too many were passed over")
    return Filled(tally=tally, choice=choice, admission=admission)


def _ran_out(mined: Round, tally: Tally, choice: Choice, keep: tuple[int, ...]) -> int:
    """Quotas that are not full although the pool may have more for them than were kept."""
    if mined.options.budget and len(choice.chosen) >= mined.options.budget:
        return 0
    kept = np.bincount(tally.table["group"].to_numpy(), minlength=len(keep))
    quotas = np.array([group.quota for group in mined.groups], np.int64)
    return int(((choice.filled < quotas) & (kept >= keep)).sum())


def _told(short: int) -> str:
    return "a quota is not full" if short == 1 else f"{short} quotas are not full"


def _meter(mined: Round, features: Mapping[str, tuple[float, ...]] | None, keep: tuple[int, ...]) -> ChunkMeter:
    options = mined.options
    weights = tuple(model.weight for model in mined.models)
    return ChunkMeter(
        models=tuple(model.model for model in mined.models),
        classes=mined.pool.classes,
        groups=mined.groups,
        keep=keep,
        bounds=mined.bounds,
        distance=options.distance,
        selection=Selection(selector=options.selector, seed=options.seed, weights=weights, features=features),
        resize=options.resize == "nearest",
    )
