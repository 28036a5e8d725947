"""`torchvision:NAME?weights=FILE`: the segmentation networks of torchvision, never with a download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from figureground.core.errors import InputError, MissingExtra
from figureground.models.predictor import PredictorSpec
from figureground.models.settings import read_settings
from figureground.models.torch_network import TorchPredictor, channels_of, finish_network, read_weights

try:
    from torchvision import models as zoo
except ImportError as error:
    raise MissingExtra("torchvision", extra="torch", needed_for="the model kind 'torchvision:'") from error

_HEADS = ("classifier.low_classifier.weight", "classifier.4.weight")


def open_torchvision(where: str, settings: Mapping[str, str], *, device: str) -> TorchPredictor:
    """A segmentation network of torchvision, its main output (the auxiliary head is not used).

    `where` is a name such as `deeplabv3_resnet50`. Defaults: ImageNet mean and std, the number of classes of the weights.

    Raises:
        InputError: an unknown network or setting, or weights that are absent, unsafe or do not fit.
    """
    what = f"torchvision:{where}"
    check_torchvision(where)
    read = read_settings(settings, where=what)
    state, digest, notes = read_weights(read, where=what)
    classes = channels_of(read, state, _HEADS, where=what)
    network = build_torchvision(where, classes, auxiliary=any("aux_classifier." in name for name in state))
    fields: dict[str, Any] = {**read.fields, "classes": classes, "sha256": digest}
    spec = PredictorSpec(kind="torchvision", where=where, notes=notes, **fields)
    return finish_network(network, state, spec=spec, device=device, logits_of=lambda output: output["out"])


def check_torchvision(name: str) -> None:
    """Raise `InputError` unless torchvision has a segmentation network of that name."""
    names = zoo.list_models(module=zoo.segmentation)
    if name not in names:
        raise InputError(f"torchvision:{name}: unknown network. Known: {', '.join(names)}")


def build_torchvision(name: str, classes: int, *, auxiliary: bool) -> Any:
    """The network with random weights, with or without its auxiliary head."""
    heads = {} if name.startswith("lraspp") else {"aux_loss": auxiliary}
    return zoo.get_model(name, weights=None, weights_backbone=None, num_classes=classes, **heads)
