"""Runs a sweep: data at every correlation, then train, predict and audit for every network of the grid, then the table.

Every step is an artifact below the sweep's directory, so the same command goes on where a former one stopped.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from figureground.core.whole_file import write_atomically
from figureground.data.dataset import open_dataset
from figureground.data.predictions import open_predictions
from figureground.models.fit.networks import build_network, find_architecture
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, read_manifest, to_json
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.stage import run_audit
from figureground.stages.predict.options import PredictOptions
from figureground.stages.predict.stage import run_predict
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.compose_options import recorded_options
from figureground.stages.shift.split_stage import rho_folder
from figureground.stages.train.stage import run_train
from figureground.sweeps.figure import sweep_svg
from figureground.sweeps.outcomes import FIGURES, Measured, measure, read_outcome
from figureground.sweeps.recipe import Recipe, Run
from figureground.sweeps.rows import Difference, Row, make_difference, make_row
from figureground.sweeps.threads import one_thread

KIND, SCHEMA = "sweep", 3
SPLIT = "test"
RESAMPLES = 1000


def run_sweep(recipe: Recipe, *, out: Path, executor: Executor, reporter: Reporter, resamples: int = RESAMPLES) -> Path:
    """Makes the data, trains and audits every network, and writes the artifact `table` with all rows.

    Args:
        recipe: what varies and what stays.
        out: directory of the sweep: `data/`, `runs/`, `table/`.
        executor: where networks are trained, one a worker at a time.
        reporter: where progress is told.
        resamples: bootstrap resamples of the intervals.

    Returns:
        `out / "table"`: `sweep.json` (rows), `differences.json` (what each rho and objective changes against the first), `sweep.csv`,
        `sweep.svg`.

    Raises:
        InputError: options that do not fit the data, said before the first network is trained.
    """
    for architecture in recipe.architectures:
        build_network(find_architecture(architecture), classes=2, seed=0)
    for rho in recipe.rho:
        made = run_compose(recipe.compose_options(rho), out=data_place(out, rho), executor=executor, reporter=reporter)
        if recipe.cluster:
            dataset = open_dataset(str(made))
            dataset.attribute(dataset.samples[0], recipe.cluster)
    runs = recipe.runs()
    with reporter.track("training and auditing", total=len(runs), unit="networks") as progress:
        for _ in executor.map_batches(functools.partial(_Worker, recipe, out), ([run] for run in runs)):
            progress.advance()
    return _write_table(recipe, out, reporter, resamples)


def data_place(out: Path, rho: float) -> Path:
    """Where the data of one correlation stand."""
    return Path(out) / "data" / rho_folder(rho)


@dataclasses.dataclass(frozen=True, slots=True)
class _Worker:
    """Trains, tests and audits one network at a time; picklable."""

    recipe: Recipe
    out: Path

    def __call__(self, runs: Sequence[Run]) -> int:
        with one_thread():
            for run in runs:
                self._one(run)
        return len(runs)

    def _one(self, run: Run) -> None:
        where, quiet = Path(self.out) / run.place, QuietReporter()
        dataset = open_dataset(str(data_place(self.out, run.rho)))
        weights = run_train(dataset, options=self.recipe.fit_options(run), out=where / "weights", reporter=quiet)
        predicted = run_predict(
            weights_spec(weights, run), dataset, options=PredictOptions(split=SPLIT, workers=1), out=where / "predictions", reporter=quiet
        )
        predictions = open_predictions(str(predicted), dataset.classes, name=run.objective)
        audited = AuditOptions(split=SPLIT, resamples=0)
        run_audit(dataset, [predictions], options=audited, out=where / "audit", executor=LocalExecutor(), reporter=quiet)


def weights_spec(weights: Path, run: Run) -> str:
    """The MODEL spec of a run's weights; a network built by the user's own code is named, since no file's word is taken for it."""
    own = run.architecture.startswith("python:")
    return f"weights:{weights}" + (f"?architecture={quote(run.architecture, safe='/,:')}" if own else "")


def _write_table(recipe: Recipe, out: Path, reporter: Reporter, resamples: int) -> Path:
    audits = {run: Path(out) / run.place / "audit" for run in recipe.runs()}
    inputs = {run.place: read_manifest(audit).key for run, audit in audits.items()}
    options = {"resamples": resamples, **_grid(recipe)}
    key, target = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=options), Path(out) / "table"
    if finished(target, kind=KIND, key=key):
        reporter.say(f"{target}: this table is there already")
        return target
    rows, differences = _rows(recipe, out, audits, resamples)
    writer = ArtifactWriter(target, kind=KIND, schema=SCHEMA, key=key, sources=audits.values(), reporter=reporter)
    write_atomically(writer.path / "sweep.json", to_json([row.plain() for row in rows]).encode())
    write_atomically(writer.path / "differences.json", to_json([row.plain() for row in differences]).encode())
    write_atomically(writer.path / "sweep.csv", _csv(rows).encode())
    write_atomically(writer.path / "sweep.svg", sweep_svg(rows))
    writer.finish(options=options, inputs=inputs, counts={"networks": len(audits), "rows": len(rows)}, details={"name": recipe.name})
    return target


def _rows(recipe: Recipe, out: Path, audits: dict[Run, Path], resamples: int) -> tuple[list[Row], list[Difference]]:
    measured: dict[tuple[str, str, float], Measured] = {}
    for architecture, objective, rho in itertools.product(recipe.architectures, recipe.objectives, recipe.rho):
        dataset = open_dataset(str(data_place(out, rho)))
        chosen = [a for r, a in audits.items() if (r.architecture, r.objective, r.rho) == (architecture, objective, rho)]
        tested = [read_outcome(audit, dataset.classes, cluster=recipe.cluster) for audit in chosen]
        measured[architecture, objective, rho] = measure(tested, common=dataset.common, resamples=resamples)
    rows, differences, (plain, *_), (weakest, *_) = [], [], recipe.objectives, recipe.rho
    for (architecture, objective, rho), one in measured.items():
        names = {"data": recipe.name, "architecture": architecture, "objective": objective, "rho": rho}
        rows.append(make_row(one, names=names))
        for against, other in ((f"rho {weakest:g}", (architecture, objective, weakest)), (plain, (architecture, plain, rho))):
            if other != (architecture, objective, rho):
                differences.append(make_difference(one, measured[other], names={**names, "against": against}))
    return rows, differences


def _grid(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "compose": recorded_options(recipe.compose),
        "train": dict(recipe.train),
        **{name: list(getattr(recipe, name)) for name in ("rho", "seeds", "objectives", "architectures")},
        "cluster": recipe.cluster,
    }


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["data", "architecture", "objective", "rho", "seeds", *(f"{n}{e}" for n in FIGURES for e in ("", "_low", "_high"))])
    for row in rows:
        ends = [getattr(getattr(row, name), end) for name in FIGURES for end in ("value", "low", "high")]
        writer.writerow([row.data, row.architecture, row.objective, row.rho, row.seeds, *(f"{number:.6g}" for number in ends)])
    return text.getvalue()
