"""The predictor port: what a network must offer, and the spec that determines its numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, Protocol
from urllib.parse import quote

import numpy as np

from figureground.core.errors import InputError
from figureground.core.registry import Registry
from figureground.data.spec import parse_spec

Resize = Literal["bilinear", "bilinear-plain", "bicubic"]
Window = Literal["none", "overlap", "taper"]
RESIZES: tuple[Resize, ...] = ("bilinear", "bilinear-plain", "bicubic")
WINDOWS: tuple[Window, ...] = ("none", "overlap", "taper")

PREDICTORS = Registry(
    "model kind",
    group="figureground.predictors",
    builtin={
        "smp": "figureground.models.smp:open_smp",
        "torchvision": "figureground.models.torchvision_network:open_torchvision",
        "hf": "figureground.models.hf:open_hf",
        "onnx": "figureground.models.onnx:open_onnx",
        "python": "figureground.models.python:open_python",
        "weights": "figureground.models.trained:open_weights",
    },
)

CLASSIFIERS = Registry(
    "classifier kind",
    group="figureground.classifiers",
    builtin={
        "weights": "figureground.models.classifier:open_trained",
        "timm": "figureground.models.classifier:open_timm",
    },
)
"""What answers with one class for a whole picture; they stand apart, because `predict` needs maps."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSpec:
    """Everything that determines the numbers of a network; it stands in the manifest and can be read back."""

    kind: str
    where: str
    classes: int
    """Channels of the logits; channel i is the i-th class of the class table."""
    size_hw: tuple[int, int] | None = None
    """Every picture is resized to this, or cut into windows of this; None = its own size."""
    short_side_px: int | None = None
    """Resize so that the shorter side has this many pixels, the shape kept; None = not."""
    stride_px: int = 1
    """Inputs are padded at the bottom and the right, with 0 after normalisation, to a multiple of this."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Taken off each channel after scaling, in the order R, G, B whatever `order` says."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Each channel is divided by this after `mean` is taken off."""
    scale: float = 1.0
    """What white becomes before `mean` and `std`: 1 for the range 0..1, 255 for 0..255."""
    order: Literal["rgb", "bgr"] = "rgb"
    """Order of the channels at the network's input."""
    resize: Resize = "bilinear"
    """`bilinear`, `bicubic`: with antialiasing when shrinking; `bilinear-plain`: without."""
    window: Window = "none"
    """`overlap`, `taper`: windows of `size_hw` slide over the picture; `taper` weighs their middles more."""
    overlap: float = 0.5
    """Share of a window that the next one covers too, at least."""
    weights: str | None = None
    sha256: str | None = None
    """Digest of the weights: what was loaded, whatever the file is called."""
    extra: tuple[tuple[str, str], ...] = ()
    """Settings that only this kind of model has, sorted by key."""
    class_names: tuple[str, ...] = ()
    """What the model itself calls its channels; empty where it does not say."""
    device: str = "cpu"
    """What it runs on; not read back, since it changes numbers by no more than rounding."""
    notes: tuple[str, ...] = ()
    """What was decided while opening, in words: a wrapper that was taken off, a setting that was not applied."""

    def __post_init__(self) -> None:
        check_predictor_spec(self)


class Predictor(Protocol):
    """A segmentation network behind one door, whatever library runs it."""

    @property
    def spec(self) -> PredictorSpec:
        """What determines its numbers."""
        ...

    def forward(self, images: np.ndarray) -> np.ndarray:
        """Logits of normalised inputs.

        Args:
            images: float32 [batch, 3, height, width], prepared as `spec` says.

        Returns:
            float32 [batch, classes, height', width']; the size may be smaller than the input's by a fixed stride.
        """
        ...

    def close(self) -> None:
        """Let go of memory and device; `forward` must not be called afterwards."""
        ...


def open_predictor(spec: str | PredictorSpec, *, device: str = "cpu") -> Predictor:
    """The network that a spec names, ready to run.

    Args:
        spec: `KIND:WHERE?key=value&...`, or the `PredictorSpec` of an earlier run: then weights with another digest are refused.
        device: `cpu`, `auto` (an accelerator where there is one), or a name the library knows, such as `cuda:0`.

    Raises:
        InputError: an unknown kind or setting, weights that are absent, unsafe or do not fit, a device that is not there.
        MissingExtra: the library of this kind is not installed.
    """
    text = predictor_spec_text(spec) if isinstance(spec, PredictorSpec) else spec
    parsed = parse_spec(text)
    if parsed.kind is None:
        raise InputError(f"a model spec must be KIND:WHERE?key=value&...; got '{text}'. Known kinds: {', '.join(PREDICTORS.names())}")
    predictor: Predictor = PREDICTORS.resolve(parsed.kind)(parsed.where, parsed.options, device=device)
    return predictor


def predictor_spec_text(spec: PredictorSpec) -> str:
    """The spec as one line that `open_predictor` reads back to the same numbers."""
    settings = {
        "classes": str(spec.classes),
        "size": "x".join(map(str, spec.size_hw)) if spec.size_hw else "native",
        **({"short_side": str(spec.short_side_px)} if spec.short_side_px else {}),
        "stride": str(spec.stride_px),
        "mean": ",".join(map(repr, spec.mean)),
        "std": ",".join(map(repr, spec.std)),
        "scale": repr(spec.scale),
        "order": spec.order,
        "resize": spec.resize,
        "window": spec.window,
        "overlap": repr(spec.overlap),
        **({"weights": spec.weights} if spec.weights else {}),
        **({"sha256": spec.sha256} if spec.sha256 else {}),
        **dict(spec.extra),
    }
    return f"{spec.kind}:{spec.where}?" + "&".join(f"{key}={quote(value, safe='/,:')}" for key, value in settings.items())


def predictor_spec_to_json(spec: PredictorSpec) -> dict[str, Any]:
    """The spec as plain values for a manifest; `json_to_predictor_spec` is its inverse."""
    return {key: _plain(value) for key, value in dataclasses.asdict(spec).items()}


def json_to_predictor_spec(values: Mapping[str, Any]) -> PredictorSpec:
    """The spec that `predictor_spec_to_json` wrote; unknown or missing keys raise `InputError`."""
    try:
        return PredictorSpec(**{key: _frozen(value) for key, value in values.items()})
    except TypeError as error:
        raise InputError(f"this is no predictor spec ({error}). Give the `model` entry of a predictions manifest") from error


def check_predictor_spec(spec: PredictorSpec) -> None:
    """Raise `InputError` where settings are out of range or contradict one another."""
    where = f"{spec.kind}:{spec.where}"
    if not 1 <= spec.classes <= 65_535:
        raise InputError(f"{where}: `classes` must be in [1, 65535]; got {spec.classes}")
    sides = (*(spec.size_hw or ()), spec.stride_px, spec.short_side_px or 1)
    if min(sides) < 1:
        raise InputError(f"{where}: `size`, `short_side` and `stride` must be at least 1 px; got {min(sides)}")
    if spec.size_hw and spec.short_side_px:
        raise InputError(f"{where}: `size` and `short_side` exclude each other; keep one")
    if spec.window != "none" and spec.size_hw is None:
        raise InputError(f"{where}: a sliding window needs the size of the window; add size=HEIGHTxWIDTH to the model spec")
    if not 0 <= spec.overlap < 1:
        raise InputError(f"{where}: `overlap` must be in [0, 1); got {spec.overlap}")
    if len(spec.mean) != 3 or len(spec.std) != 3 or not all(map(math.isfinite, (*spec.mean, *spec.std, spec.scale))):
        raise InputError(f"{where}: `mean` and `std` must be three finite numbers each, and `scale` finite; got {spec.mean}, {spec.std}")
    if min(spec.std) <= 0 or spec.scale <= 0:
        raise InputError(f"{where}: `std` and `scale` must be above 0; got std {spec.std}, scale {spec.scale}")


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
