"""The whole demo: draw, fit, predict, audit. It calls the stages as the command line does, and they meet only in what stands on disk."""

from __future__ import annotations

from pathlib import Path

from figureground.data.dataset import open_dataset
from figureground.data.predictions import open_predictions
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.stage import run_audit
from figureground.stages.demo.predictor import open_demo
from figureground.stages.demo.stage import prepare_demo
from figureground.stages.predict.options import PredictOptions
from figureground.stages.predict.stage import run_predict

TESTED = "test"
"""The split that is predicted and audited: every class on every ground equally often."""


def run_demo(out: Path, *, seed: int = 0, executor: Executor | None = None, reporter: Reporter | None = None) -> Path:
    """Draws the pictures, fits the two predictors, predicts the test split with both, and audits them against one another.

    Every part is an artifact of its own, so an interrupted demo goes on where it stopped and a finished one is only looked up.

    Args:
        out: directory of the demo; holds `dataset`, `models`, `predictions` and `audit` afterwards.
        seed: seed of the pictures, of the fits and of the bootstrap.
        executor: where the work runs; None = this process.
        reporter: who is told about progress; None = nobody.

    Returns:
        The audit's directory.

    Raises:
        ArtifactError: something else stands where a part of the demo belongs.
    """
    executor, reporter = executor or LocalExecutor(), reporter or QuietReporter()
    parts = prepare_demo(out, seed=seed, executor=executor, reporter=reporter)
    dataset = open_dataset(parts.data)
    opened = []
    for name, model in parts.models.items():
        predictor = open_demo(model.partition(":")[2], {}, device="cpu")
        where = run_predict(predictor, dataset, options=PredictOptions(split=TESTED), out=parts.predictions[name], reporter=reporter)
        opened.append(open_predictions(str(where), dataset.classes, name=name))
    options = AuditOptions(split=TESTED, seed=seed)
    return run_audit(dataset, opened, options=options, out=parts.audit, executor=executor, reporter=reporter)
