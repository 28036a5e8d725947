"""The predict stage: opens the model, streams the pictures of a data set through it, and writes label maps and risk."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from figureground.core.errors import Fault, InputError, check_failures, may_leave_out
from figureground.data.dataset import Dataset, picture_fingerprint
from figureground.data.pixels import PICTURE_RULES
from figureground.metrics.risk import SCORES
from figureground.models.predictor import Predictor, PredictorSpec, open_predictor, predictor_spec_to_json
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import join_shards, map_in_shards, read_shards
from figureground.stages.predict.options import PredictOptions
from figureground.stages.predict.reuse import (
    FILES,
    MODEL_KEY,
    TABLES,
    TAKEN,
    Kept,
    ReusingWorker,
    damaged_tables,
    kept_predictions,
    model_key,
    table_digests,
)
from figureground.stages.predict.stream import BatchPredictor

KIND, SCHEMA = "predictions", 1
SHARD_SIZE = 64
"""Pictures between two writes: what an interruption can cost."""

_LIBRARIES = {
    "onnxruntime": "onnxruntime",
    "segmentation-models-pytorch": "segmentation_models_pytorch",
    "timm": "timm",
    "torch": "torch",
    "torchvision": "torchvision",
    "transformers": "transformers",
}

LOGIT_RULES = "resized bilinear to the size of the picture (pixel centres at half, no antialiasing), then argmax; a tie is the lowest class"


def run_predict(
    model: str | PredictorSpec | Predictor,
    dataset: Dataset,
    *,
    options: PredictOptions | None = None,
    out: Path,
    executor: Executor | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Predicts every picture of a data set and writes the artifact `predictions`.

    `labels/*.parquet` hold runs and scores, one row a picture; `regions/*.parquet` the risk of each predicted region. An interrupted run
    goes on behind its last whole shard and ends with the same bytes. What the same model said before of a picture of the same content, in
    `out` or in a directory of `options.reuse`, is taken over: of a pool that grew, only the new pictures are predicted.

    Args:
        model: a model spec, or a predictor that is open already.
        dataset: whose pictures; masks are not needed, but a faulty one is refused here as by every other verb.
        options: what is predicted and with what means.
        out: directory of the artifact; there already with the same key = nothing is done, unless a table of it is damaged: then what that
            held is predicted again.
        executor: where shards are predicted; each worker process opens the model for itself. Default: this process.
        reporter: where progress is told; default nowhere.

    Returns:
        `out`, which `open_predictions` reads.

    Raises:
        InputError: a model that cannot be opened, or one whose number of channels is not the number of classes.
        FormatError: a picture that cannot be read, a faulty mask, or logits that are not finite, unless `max_failures` allows it.
    """
    options, reporter, executor = options or PredictOptions(), reporter or QuietReporter(), executor or LocalExecutor()
    chosen = dataset.select(split=options.split) if options.split else dataset
    if not chosen.samples:
        raise InputError(f"{dataset.name}: there is no sample to predict")
    predictor = open_predictor(model, device=options.device) if isinstance(model, str | PredictorSpec) else model
    spec = chosen_spec(predictor.spec, options)
    check_channels(spec, chosen, reporter)
    settings = {**dataclasses.asdict(options), "device": spec.device}
    del settings["workers"], settings["reuse"]  # neither threads nor what is taken over change a number
    inputs = {"pictures": picture_fingerprint(chosen), "classes": _digest(repr(chosen.classes)), "weights": spec.sha256 or ""}
    if options.max_failures and chosen.masks is not None:
        inputs["masks"] = _digest("\n".join(chosen.masks.stamps(chosen.ids)))  # which pictures are left out depends on them
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options={**settings, "model": predictor_spec_to_json(spec)})
    if finished(out, kind=KIND, key=key) and not _damaged(out, reporter):
        reporter.say(f"{out}: these predictions are there already, nothing to do")
        return out
    sources = (*chosen.every_file(), *filter(None, (spec.where, spec.weights)))
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=reporter)
    said = model_key(spec, chosen.classes, batch=options.batch)
    kept = kept_predictions([Path(out), *map(Path, options.reuse)], said, chosen.samples)
    worker = partial(_worker, model if executor.apart else predictor, spec, chosen, options, kept)
    told = {"what": "predict", "unit": "pictures", "shard_size": SHARD_SIZE}
    with may_leave_out():
        shards = map_in_shards(chosen.samples, worker, writer=writer, executor=executor, reporter=reporter, **told)
        faults = [Fault(**row) for row in read_shards(writer, "faults", shards).to_pylist()]
        check_failures(faults, options.max_failures)
    for name in TABLES:
        join_shards(writer, name, shards)
    if taken := sum(read_shards(writer, TAKEN, shards)["pictures"].to_pylist()):
        reporter.say(f"{taken} of {len(chosen)} pictures were predicted before by this model and are taken over")
    counts = {"pictures": len(chosen) - len(faults)}
    details = {**_details(chosen, spec), MODEL_KEY: said, FILES: table_digests(writer.path)}
    writer.finish(options=settings, inputs=inputs, counts=counts, failures=faults, details=details)
    return out


def _damaged(out: Path, reporter: Reporter) -> bool:
    """True where tables of finished predictions are not as they were written, which is told."""
    if damaged := damaged_tables(out):
        more = f" and {len(damaged) - 1} more tables are" if len(damaged) > 1 else " is"
        reporter.say(f"note: {out / damaged[0]}{more} damaged or gone; what they held is predicted again")
    return bool(damaged)


def chosen_spec(spec: PredictorSpec, options: PredictOptions) -> PredictorSpec:
    """The spec with the window that the options ask for."""
    return spec if options.window == "spec" else dataclasses.replace(spec, window=options.window)


def check_channels(spec: PredictorSpec, dataset: Dataset, reporter: Reporter) -> None:
    """Raise `InputError` unless the model has one channel per class; say where it calls them by other names."""
    names = dataset.classes.names
    if spec.classes != len(names):
        raise InputError(
            f"{spec.kind}:{spec.where} has {spec.classes} channels and {dataset.name} has {len(names)} classes "
            f"({', '.join(names[:6])}{', ...' if len(names) > 6 else ''}). Declare the classes the model was trained on, in its order"
        )
    differing = [(a, b) for a, b in zip(spec.class_names, names, strict=False) if a.lower() != b.lower() and not a.startswith("LABEL_")]
    if differing:
        a, b = differing[0]
        reporter.say(
            f"note: the model calls {len(differing)} of its channels otherwise than {dataset.name} its classes, first '{a}' for '{b}'"
        )


def _worker(
    model: str | PredictorSpec | Predictor, spec: PredictorSpec, dataset: Dataset, options: PredictOptions, kept: Kept
) -> ReusingWorker:
    fresh = BatchPredictor(
        predictor=open_predictor(model, device=options.device) if isinstance(model, str | PredictorSpec) else model,
        spec=spec,
        classes=dataset.classes,
        batch=options.batch,
        threads=options.workers,
        collect=options.max_failures > 0,
        masks=dataset.masks,
    )
    return ReusingWorker(predict=fresh, holds=fresh.holds, kept=kept)


def _details(dataset: Dataset, spec: PredictorSpec) -> dict[str, Any]:
    classes = dataset.classes
    return {
        "dataset": dataset.name,
        "classes": list(classes.names),
        "ids": list(classes.ids),
        "background": classes.background,
        "model": predictor_spec_to_json(spec),
        "pictures": PICTURE_RULES,
        "logits": LOGIT_RULES,
        "scores": list(SCORES),
        "libraries": model_libraries(),
    }


def model_libraries() -> dict[str, str]:
    """Versions of the libraries of networks that are loaded."""
    found: dict[str, str] = {}
    for name, module in _LIBRARIES.items():
        if module in sys.modules:
            with suppress(PackageNotFoundError):  # a library on the path that was never installed
                found[name] = version(name)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
