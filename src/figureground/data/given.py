"""What a caller may hand in for a data set or for predictions, opened: specs, arrays, or the things themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from figureground.core.errors import InputError
from figureground.data.dataset import Dataset, dataset_from_arrays, open_dataset
from figureground.data.predictions import Predictions, open_predictions, predictions_from_arrays, unique_names

PredictionsLike = str | Path | Predictions | Mapping[str, np.ndarray]


def as_dataset(dataset: str | Path | Dataset | Mapping[str, np.ndarray], classes: Sequence[str] | None = None) -> Dataset:
    """A data set from a spec, from arrays, or as it is."""
    if isinstance(dataset, Dataset):
        return dataset
    if not isinstance(dataset, str | Path | Mapping):
        raise InputError(f"`dataset` must be a DATA spec, a Dataset, or sample id -> array; got {type(dataset).__name__}")
    if isinstance(dataset, Mapping):
        if classes is None:
            raise InputError("`classes` must name the classes in id order, background first, where masks are arrays")
        return dataset_from_arrays(dataset, classes=classes)
    return open_dataset(str(dataset))


def as_predictions(predictions: PredictionsLike | Sequence[PredictionsLike], dataset: Dataset) -> list[Predictions]:
    """Predictions with distinct names from specs, arrays, or as they are."""
    single = isinstance(predictions, str | Path | Predictions | Mapping)
    several = [predictions] if single else list(predictions) if isinstance(predictions, Sequence) else []
    if not several or not all(isinstance(item, str | Path | Predictions | Mapping) for item in several):
        raise InputError("`predictions` must be a spec, Predictions, or sample id -> array, or a list of at least one of those")
    names = iter(names_of([str(p) for p in several if isinstance(p, str | Path)], dataset=dataset.name))
    out: list[Predictions] = []
    for place, item in enumerate(several, start=1):
        if isinstance(item, Predictions):
            out.append(item)
        elif isinstance(item, Mapping):
            name = "prediction" if single else f"prediction {place}"
            out.append(predictions_from_arrays(item, dataset.classes, name=name))
        else:
            out.append(open_predictions(str(item), dataset.classes, name=next(names)))
    if len({p.name for p in out}) != len(out):
        raise InputError(f"predictions must have distinct names; got {', '.join(p.name for p in out)}")
    return out


def names_of(specs: Sequence[str], *, dataset: str) -> list[str]:
    """Distinct names of predictions; one in a folder called like the data set goes by the folder above (`net/voc21` is `net`)."""
    return [_told_from(dataset, name, spec) for name, spec in zip(unique_names(specs), specs, strict=True)]


def _told_from(dataset: str, name: str, spec: str) -> str:
    folders = Path(spec.partition("?")[0].rpartition(":")[2]).parts
    return folders[-2] if name == dataset and len(folders) > 1 and folders[-1] == name and folders[-2] not in ("..", "/") else name
