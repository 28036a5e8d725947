"""The demo: a network learns a shortcut from pictures that were drawn for it, overlap looks fine, and the audit shows what is wrong.

Two data sets differ in one thing: in `tied` each class stands in its own context, in `balanced` every class stands everywhere equally
often. Validation and test pictures are the same. The same network is trained on each, and both are audited on the test pictures.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from figureground.data.dataset import open_dataset
from figureground.data.predictions import open_predictions
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.stage import run_audit
from figureground.stages.predict.options import PredictOptions
from figureground.stages.predict.stage import run_predict
from figureground.stages.shift.compose import run_compose
from figureground.stages.train.stage import run_train
from figureground.sweeps.demo_plan import NAMES, TIED, DemoPlan
from figureground.sweeps.threads import one_thread

SPLIT = "test"
"""What is predicted and audited: every class in every context equally often."""


def run_demo(plan: DemoPlan, *, out: Path, executor: Executor | None = None, reporter: Reporter | None = None) -> Path:
    """Draws both data sets, trains a network on each, predicts and audits; every part is an artifact, so an interrupted demo goes on.

    Args:
        plan: what is drawn and trained.
        out: directory of the demo: `data/`, `weights/` and `predictions/` with a folder for each name, and `audit/`.
        executor: where the work runs; with two workers or more both networks are trained at once. Default: this process.
        reporter: where progress is told; default nowhere.

    Returns:
        `out / "audit"`, an audit of both predictions.

    Raises:
        ArtifactError: something else stands where a part of the demo belongs.
        InputError: options that do not fit together, or a directory that cannot be written.
        MissingExtra: the library of the network is not installed.
    """
    out, executor, reporter = Path(out), executor or LocalExecutor(), reporter or QuietReporter()
    for name in NAMES:
        run_compose(plan.compose_options(name), out=out / "data" / name, executor=executor, reporter=reporter)
    reporter.say(f"{plan.train.epochs} epochs on {plan.compose.train} pictures, for each of two networks; this takes the longest")
    told = reporter if executor.workers == 1 else QuietReporter()  # other processes would write over one another
    worker = functools.partial(_Worker, plan=plan, out=out, reporter=told)
    with reporter.track("training", total=len(NAMES), unit="networks") as progress:
        for trained in executor.map_batches(worker, ([name] for name in NAMES)):
            progress.advance(trained)
    dataset = open_dataset(str(out / "data" / TIED))
    predictions = [open_predictions(str(out / "predictions" / name), dataset.classes, name=name) for name in NAMES]
    # each test figure stands on every ground, so its pictures are drawn together
    audited = AuditOptions(split=SPLIT, cluster="figure", seed=plan.compose.seed, resamples=plan.resamples)
    return run_audit(dataset, predictions, options=audited, out=out / "audit", executor=executor, reporter=reporter)


@dataclass(frozen=True, slots=True)
class _Worker:
    """Trains a network on one of the data sets and predicts the test pictures with it; picklable."""

    plan: DemoPlan
    out: Path
    reporter: Reporter

    def __call__(self, names: Sequence[str]) -> int:
        with one_thread():
            for name in names:
                self._one(name)
        return len(names)

    def _one(self, name: str) -> None:
        dataset = open_dataset(str(self.out / "data" / name))
        weights = run_train(dataset, options=self.plan.train, out=self.out / "weights" / name, reporter=self.reporter)
        options = PredictOptions(split=SPLIT, device=self.plan.train.device, workers=1)
        run_predict(f"weights:{weights}", dataset, options=options, out=self.out / "predictions" / name, reporter=self.reporter)
