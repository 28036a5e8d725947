"""`smp:ARCHITECTURE/ENCODER?weights=FILE`: networks of segmentation_models_pytorch, never with a download."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from typing import Any

from figureground.core.errors import InputError, MissingExtra
from figureground.models.predictor import PredictorSpec
from figureground.models.settings import read_settings
from figureground.models.torch_network import TorchPredictor, channels_of, finish_network, read_weights

try:
    import segmentation_models_pytorch
except ImportError as error:
    raise MissingExtra("segmentation_models_pytorch", extra="smp", needed_for="the model kind 'smp:'") from error

# What the spec itself decides, and what would turn logits into something else.
_RESERVED = frozenset({"self", "encoder_name", "encoder_weights", "in_channels", "classes", "activation", "aux_params", "kwargs"})
_HEADS = ("segmentation_head.0.weight", "segmentation_head.head.4.weight")


def open_smp(where: str, settings: Mapping[str, str], *, device: str) -> TorchPredictor:
    """A network of segmentation_models_pytorch.

    `where` is `architecture/encoder`, such as `unet/resnet34`. Further settings are the architecture's own arguments
    (`decoder_attention_type=scse`). Defaults: ImageNet mean and std, stride 32, the number of classes of the weights.

    Raises:
        InputError: an unknown architecture, encoder or setting, or weights that are absent, unsafe or do not fit.
    """
    what = f"smp:{where}"
    architecture, _, encoder = where.partition("/")
    known = {cls.__name__.lower(): cls for cls in segmentation_models_pytorch.MODEL_ARCHITECTURES_MAPPING.values()}
    if architecture not in known or not encoder:
        raise InputError(f"{what}: must be smp:ARCHITECTURE/ENCODER with an architecture of {', '.join(sorted(known))}")
    own = [name for name in inspect.signature(known[architecture].__init__).parameters if name not in _RESERVED]
    read = read_settings(settings, where=what, own=own, stride_px=32)
    state, digest, notes = read_weights(read, where=what)
    classes = channels_of(read, state, _HEADS, where=what)
    network = _build(known[architecture], encoder, classes, {k: _value(v) for k, v in read.own.items()}, what)
    fields: dict[str, Any] = {**read.fields, "classes": classes, "sha256": digest}
    spec = PredictorSpec(kind="smp", where=where, extra=tuple(sorted(read.own.items())), notes=notes, **fields)
    return finish_network(network, state, spec=spec, device=device, logits_of=lambda output: output)


def _build(architecture: Any, encoder: str, classes: int, own: Mapping[str, Any], what: str) -> Any:
    try:
        return architecture(encoder_name=encoder, encoder_weights=None, in_channels=3, classes=classes, **own)
    except (KeyError, ValueError, TypeError, RuntimeError, AssertionError) as error:
        reason = str(error).strip("'\"").split("supported encoders")[0].rstrip(" ,")
        raise InputError(
            f"{what}: segmentation_models_pytorch cannot build it ({reason}). Give an encoder that its documentation lists"
        ) from error


def _value(text: str) -> Any:
    """`256,128` as a tuple, `True` as a boolean, anything else that is no Python literal as the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
