"""The demo as stages: draw the data set, fit the two predictors; what follows is `predict` and `audit` as anyone calls them."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from figureground.data.dataset import Dataset, open_dataset
from figureground.data.labelmap import decode_runs
from figureground.models.pictures import read_picture
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, read_manifest, write_atomically
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.demo.draw import CLASSES, COMMON, Plan, picture, plans
from figureground.stages.demo.predictor import fit, write_model

MODELS = {"tied": "train", "balanced": "balanced"}
"""Name of each predictor and the split it is fitted on."""
_SCHEMA = 1
_BATCH = 20
_COLUMNS = ("id", "image", "mask", "label", "split", "context")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DemoParts:
    """What `prepare_demo` left on disk, as the specs that the other verbs take."""

    data: str
    """DATA spec of the whole data set: splits `train`, `balanced` and `test`."""
    models: dict[str, str]
    """MODEL spec by name: `tied` was fitted where each class has its own ground, `balanced` where it has not."""
    predictions: dict[str, Path]
    """Where the predictions of each model belong."""
    audit: Path
    """Where the audit belongs."""


def prepare_demo(out: Path, *, seed: int = 0, executor: Executor | None = None, reporter: Reporter | None = None) -> DemoParts:
    """Draws the data set and fits the two predictors under `out`; what is there already is kept.

    Args:
        out: directory of the demo; made where it is absent.
        seed: decides every picture and every random number of the fits.
        executor: where the work runs; None = this process.
        reporter: who is told about progress; None = nobody.

    Raises:
        ArtifactError: something else stands where a part of the demo belongs.
    """
    executor, reporter, out = executor or LocalExecutor(), reporter or QuietReporter(), Path(out)
    data = _draw_dataset(out / "dataset", seed=seed, executor=executor, reporter=reporter)
    drawn = read_manifest(data).key
    missing = [name for name in MODELS if not finished(_model_dir(out, name), kind="model", key=_model_key(drawn, name, seed))]
    with reporter.track("fitting the two predictors", total=len(MODELS), unit="models", done=len(MODELS) - len(missing)) as progress:
        make_worker = functools.partial(functools.partial, _fit_one, out=out, drawn=drawn, seed=seed)
        for _ in executor.map_batches(make_worker, missing):
            progress.advance()
    return DemoParts(
        data=str(data),
        models={name: f"demo:{_model_dir(out, name) / 'model.npz'}" for name in MODELS},
        predictions={name: out / "predictions" / name for name in MODELS},
        audit=out / "audit",
    )


def _draw_dataset(out: Path, *, seed: int, executor: Executor, reporter: Reporter) -> Path:
    key = artifact_key(kind="dataset", schema=_SCHEMA, inputs={}, options={"seed": seed, "plans": [dataclasses.asdict(p) for p in plans()]})
    if finished(out, kind="dataset", key=key):
        reporter.say(f"{out}: the data set is there already")
        return out
    writer = ArtifactWriter(out, kind="dataset", schema=_SCHEMA, key=key)
    for folder in ("images", "masks"):
        (writer.path / folder).mkdir(exist_ok=True)
    batches = [plans()[start : start + _BATCH] for start in range(0, len(plans()), _BATCH)]
    make_worker = functools.partial(functools.partial, _draw_batch, folder=writer.path, seed=seed)
    with reporter.track("drawing", total=len(plans()), unit="pictures") as progress:
        for drawn in executor.map_batches(make_worker, batches):
            progress.advance(drawn)
    write_atomically(writer.path / "samples.csv", _table().encode())
    write_atomically(writer.path / "dataset.toml", _toml().encode())
    writer.finish(options={}, inputs={}, counts={"samples": len(plans())}, seed=seed)
    return out


def _draw_batch(batch: Sequence[Plan], *, folder: Path, seed: int) -> int:
    for plan in batch:
        mask_path = folder / "masks" / f"{plan.id}.png"
        if mask_path.exists():
            continue  # a former run drew it; the mask is written last
        image, mask = picture(plan.label, plan.context, seed=seed, index=plan.index)
        write_atomically(folder / "images" / f"{plan.id}.jpg", _encoded(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92]))
        write_atomically(mask_path, _encoded(".png", mask, []))
    return len(batch)


def _encoded(suffix: str, pixels: np.ndarray, settings: list[int]) -> bytes:
    return cv2.imencode(suffix, pixels, settings)[1].tobytes()


def _table() -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((p.id, f"images/{p.id}.jpg", f"masks/{p.id}.png", p.label, p.split, p.context) for p in plans())
    return text.getvalue()


def _toml() -> str:
    names = ", ".join(f'"{name}"' for name in CLASSES)
    common = ", ".join(f'{label} = "{context}"' for label, context in COMMON.items())
    return (
        f'name = "demo"\n\n[classes]\nnames = [{names}]\nbackground = 0\nignore = 255\n\n[samples]\ntable = "samples.csv"\n\n'
        f'[attributes]\nlabel = "label"\ncontext = "context"\n\n[groups]\ncommon = {{ {common} }}\n'
    )


def _model_dir(out: Path, name: str) -> Path:
    return out / "models" / name


def _model_key(drawn: str, name: str, seed: int) -> str:
    return artifact_key(kind="model", schema=_SCHEMA, inputs={"data": drawn}, options={"split": MODELS[name], "seed": seed})


def _fit_one(name: str, *, out: Path, drawn: str, seed: int) -> None:
    dataset = open_dataset(str(out / "dataset")).select(split=MODELS[name])
    model = fit(_pictures(dataset), classes=len(dataset.classes), seed=seed)
    target = _model_dir(out, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = ArtifactWriter(target, kind="model", schema=_SCHEMA, key=_model_key(drawn, name, seed))
    write_model(writer.path / "model.npz", model)
    writer.finish(options={"split": MODELS[name]}, inputs={"data": drawn}, counts={"samples": len(dataset)}, seed=seed)


def _pictures(dataset: Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    assert dataset.masks is not None
    return [(read_picture(s.image, sample=s.id), decode_runs(dataset.masks.read(s.id))) for s in dataset.samples if s.image]
