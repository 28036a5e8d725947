"""`smp:ARCHITECTURE/ENCODER?weights=FILE`: networks of segmentation_models_pytorch, never with a download."""

from __future__ import annotations

import ast
import dataclasses
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SmpArchitecture:
    """A network that can be built: `smp:architecture/encoder`."""

    what: str
    """The spec without settings, for messages."""
    build_class: Any
    encoder: str
    settings: tuple[str, ...]
    """Names of the architecture's own arguments."""


def find_smp(where: str) -> SmpArchitecture:
    """The architecture that `architecture/encoder` names; an unknown one raises `InputError`."""
    what = f"smp:{where}"
    architecture, _, encoder = where.partition("/")
    known = {cls.__name__.lower(): cls for cls in segmentation_models_pytorch.MODEL_ARCHITECTURES_MAPPING.values()}
    if architecture not in known or not encoder:
        raise InputError(f"{what}: must be smp:ARCHITECTURE/ENCODER with an architecture of {', '.join(sorted(known))}")
    own = tuple(name for name in inspect.signature(known[architecture].__init__).parameters if name not in _RESERVED)
    return SmpArchitecture(what=what, build_class=known[architecture], encoder=encoder, settings=own)


def build_smp(found: SmpArchitecture, settings: Mapping[str, str], *, classes: int) -> Any:
    """The network with random weights, from its own arguments as texts; what the library refuses raises `InputError`."""
    own = {key: literal(value) for key, value in settings.items()}
    try:
        return found.build_class(encoder_name=found.encoder, encoder_weights=None, in_channels=3, classes=classes, **own)
    except (KeyError, ValueError, TypeError, RuntimeError, AssertionError) as error:
        reason = str(error).strip("'\"").split("supported encoders")[0].rstrip(" ,")
        raise InputError(
            f"{found.what}: segmentation_models_pytorch cannot build it ({reason}). Give an encoder that its documentation lists"
        ) from error


def open_smp(where: str, settings: Mapping[str, str], *, device: str) -> TorchPredictor:
    """A network of segmentation_models_pytorch.

    `where` is `architecture/encoder`, such as `unet/resnet34`. Further settings are the architecture's own arguments
    (`decoder_attention_type=scse`). Defaults: ImageNet mean and std, stride 32, the number of classes of the weights.

    Raises:
        InputError: an unknown architecture, encoder or setting, or weights that are absent, unsafe or do not fit.
    """
    found = find_smp(where)
    read = read_settings(settings, where=found.what, own=found.settings, stride_px=32)
    state, digest, notes = read_weights(read, where=found.what)
    classes = channels_of(read, state, _HEADS, where=found.what)
    network = build_smp(found, read.own, classes=classes)
    fields: dict[str, Any] = {**read.fields, "classes": classes, "sha256": digest}
    spec = PredictorSpec(kind="smp", where=where, extra=tuple(sorted(read.own.items())), notes=notes, **fields)
    return finish_network(network, state, spec=spec, device=device, logits_of=lambda output: output)


def literal(text: str) -> Any:
    """`256,128` as a tuple, `True` as a boolean, anything else that is no Python literal as the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
