"""The demo's predictor: two regressions on hand-made features, fitted in seconds, and what it reads is decided by the data it is fitted on.

The first tells figure from ground, pixel by pixel. The second names the figure from two blocks of features that weigh the same before the
fit: the outline of the figure, and the ground around it. Where class and ground are tied in the training pictures, the fit leans on the
ground; where they are not, it cannot.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax

from figureground.core.errors import InputError
from figureground.models.digest import check_digest, file_digest
from figureground.models.predictor import PredictorSpec
from figureground.models.settings import read_settings
from figureground.stages.demo.features import GROUND_COLUMNS, ground_features, lab, outline_features, pixel_features

_HIDDEN = 160  # random ramps between the pixel features and the first regression
_FIGURE_PX, _GROUND_PX, _IDENTITY_PX = 150, 300, 12  # pixels drawn from each training picture
_FIGURE_L2, _IDENTITY_L2 = 1e-4, 0.3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DemoModel:
    """The fitted numbers; every field is a float32 array, and a model file is these arrays by name."""

    pixel_mean: np.ndarray
    pixel_scale: np.ndarray
    ramps: np.ndarray
    """[pixel features, hidden], drawn at random and kept."""
    offsets: np.ndarray
    figure: np.ndarray
    """[hidden + 1, 2], the last row the constant: ground, figure."""
    name_mean: np.ndarray
    name_scale: np.ndarray
    name: np.ndarray
    """[ground and outline features + 1, foreground classes], the last row the constant."""


def fit(pictures: Sequence[tuple[np.ndarray, np.ndarray]], *, classes: int, seed: int) -> DemoModel:
    """A model fitted on pictures (uint8 [height, width, 3] RGB) and their label maps (0 background, 1 .. classes - 1)."""
    rng = np.random.default_rng(seed)
    figure_half = _fit_figure(pictures, rng)
    drawn = [_identity_rows(image, truth, figure_half, rng) for image, truth in pictures]
    columns, labels = np.concatenate([rows for rows, _ in drawn]), np.concatenate([names for _, names in drawn])
    mean, scale = columns.mean(axis=0), columns.std(axis=0) + 1e-6
    outline = scale[GROUND_COLUMNS:]
    # One scale for the whole outline block, so that both blocks have the same total variance: neither wins by its number of columns.
    scale[GROUND_COLUMNS:] = np.sqrt((outline**2).sum() / GROUND_COLUMNS)
    name = _regression((columns - mean) / scale, labels - 1, classes - 1, l2=_IDENTITY_L2)
    fitted = dataclasses.replace(figure_half, name_mean=mean, name_scale=scale, name=name)
    return DemoModel(**{field.name: np.asarray(getattr(fitted, field.name), np.float32) for field in dataclasses.fields(fitted)})


def logits(image: np.ndarray, model: DemoModel) -> np.ndarray:
    """Log-probabilities, float32 [classes, height, width], of a picture in [0, 1]: ground, and figure times each name."""
    colours = lab(image)
    odds = _figure_odds(colours, model)
    figure = expit(odds)
    weights = model.name[:-1] / model.name_scale[:, None]
    # The outline is one for the whole picture, so its share of the sum is added once and not per pixel.
    outline = outline_features(figure) @ weights[GROUND_COLUMNS:] - model.name_mean @ weights + model.name[-1]
    names = log_softmax(ground_features(colours, figure) @ weights[:GROUND_COLUMNS] + outline, axis=1)
    each = log_expit(odds) + names.T.reshape(-1, *odds.shape)
    return np.concatenate([log_expit(-odds)[None], each]).astype(np.float32)


def write_model(path: Path, model: DemoModel) -> None:
    """The arrays of a model as one NPZ file."""
    np.savez(path, **{field.name: getattr(model, field.name) for field in dataclasses.fields(model)})


def read_model(path: Path) -> DemoModel:
    """The model of a file that `write_model` wrote; anything else raises `InputError`."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return DemoModel(**dict(arrays))
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: no model of the demo ({error}). Give a model.npz that `figureground demo` wrote") from error


class DemoPredictor:
    """A fitted model behind the `Predictor` port."""

    def __init__(self, model: DemoModel, *, spec: PredictorSpec) -> None:
        self.spec = spec
        self._model: DemoModel | None = model

    def forward(self, images: np.ndarray) -> np.ndarray:
        """Logits float32 [batch, classes, height, width] of float32 [batch, 3, height, width] in [0, 1]."""
        if self._model is None:
            raise InputError(f"{self.spec.kind}:{self.spec.where}: this predictor is closed; open it again")
        return np.stack([logits(image.transpose(1, 2, 0), self._model) for image in images])

    def close(self) -> None:
        """Let go of the arrays."""
        self._model = None


def open_demo(where: str, settings: Mapping[str, str], *, device: str) -> DemoPredictor:
    """The model `demo:FILE.npz`; it takes pictures of any size and runs on the processor, whatever `device` says.

    Raises:
        InputError: the file is no model of the demo, or a setting does not fit it.
    """
    what = f"demo:{where}"
    fields = dict(read_settings(settings, where=what, norm="none").fields)
    model, digest = read_model(Path(where)), file_digest([Path(where)])
    check_digest(digest, fields.get("sha256"), where=what)
    classes = model.name.shape[1] + 1
    if fields.get("classes", classes) != classes:
        raise InputError(f"{what}: the model has {classes} channels; `classes` says {fields['classes']}. Leave `classes` out")
    return DemoPredictor(model, spec=PredictorSpec(kind="demo", where=where, **{**fields, "classes": classes, "sha256": digest}))


def _fit_figure(pictures: Sequence[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator) -> DemoModel:
    """The half that tells figure from ground; the other half is empty."""
    rows, labels = [], []
    for image, truth in pictures:
        flat = truth.ravel() > 0
        chosen = np.concatenate([rng.choice(np.flatnonzero(flat), _FIGURE_PX), rng.choice(np.flatnonzero(~flat), _GROUND_PX)])
        rows.append(pixel_features(lab(image / np.float32(255)))[chosen])
        labels.append(flat[chosen])
    columns = np.concatenate(rows)
    ramps = rng.normal(size=(columns.shape[1], _HIDDEN)).astype(np.float32) * np.float32(1.5 / np.sqrt(columns.shape[1]))
    nothing = np.zeros(0, np.float32)
    start = DemoModel(
        pixel_mean=columns.mean(axis=0),
        pixel_scale=columns.std(axis=0) + 1e-6,
        ramps=ramps,
        offsets=rng.normal(size=_HIDDEN).astype(np.float32),
        figure=nothing,
        name_mean=nothing,
        name_scale=nothing,
        name=nothing,
    )
    weights = _regression(_hidden(columns, start), np.concatenate(labels).astype(int), 2, l2=_FIGURE_L2)
    return dataclasses.replace(start, figure=weights.astype(np.float32))


def _identity_rows(image: np.ndarray, truth: np.ndarray, model: DemoModel, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Features and class ids of a few figure pixels of one picture."""
    colours = lab(image / np.float32(255))
    chosen = rng.choice(np.flatnonzero(truth.ravel() > 0), _IDENTITY_PX)
    figure = expit(_figure_odds(colours, model))
    ground, outline = ground_features(colours, figure)[chosen], outline_features(figure)
    return np.concatenate([ground, np.broadcast_to(outline, (len(ground), len(outline)))], axis=1), truth.ravel()[chosen].astype(int)


def _hidden(columns: np.ndarray, model: DemoModel) -> np.ndarray:
    ramps = model.ramps / model.pixel_scale[:, None]
    values = columns @ ramps
    values += model.offsets - model.pixel_mean @ ramps
    return np.maximum(values, 0, out=values)


def _figure_odds(colours: np.ndarray, model: DemoModel) -> np.ndarray:
    """Log odds of figure against ground, smoothed over a pixel or two: float32 [height, width]."""
    odds = _hidden(pixel_features(colours), model) @ (model.figure[:-1, 1] - model.figure[:-1, 0])
    flat = odds + (model.figure[-1, 1] - model.figure[-1, 0])
    return cv2.GaussianBlur(flat.reshape(colours.shape[:2]).astype(np.float32), (0, 0), 1.5)


def _regression(columns: np.ndarray, labels: np.ndarray, classes: int, *, l2: float) -> np.ndarray:
    """Multinomial logistic regression with a quadratic penalty: float64 [columns + 1, classes], the last row the constant."""
    wanted = np.eye(classes, dtype=columns.dtype)[labels]
    count, width = columns.shape

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(width + 1, classes)
        logp = log_softmax(columns @ weights[:-1].astype(columns.dtype) + weights[-1].astype(columns.dtype), axis=1)
        slope = (np.exp(logp) - wanted) / count
        gradient = np.concatenate([columns.T @ slope + l2 * weights[:-1], slope.sum(axis=0, keepdims=True)])
        return float(-(logp * wanted).sum() / count + l2 / 2 * (weights[:-1] ** 2).sum()), gradient.ravel().astype(np.float64)

    found = minimize(loss, np.zeros((width + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 150})
    return found.x.reshape(width + 1, classes)
