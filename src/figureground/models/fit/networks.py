"""Networks to train, from the text that names them: segmentation_models_pytorch, torchvision, or anybody's torch module.

Whatever it is, it becomes a `Network`: inputs are padded to the network's stride as the predictor pads them, the logits are taken out of
what the library gives, and brought to the size of the picture.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from figureground.core.errors import InputError, MissingExtra
from figureground.data.spec import parse_spec
from figureground.models.digest import file_digest
from figureground.models.fit.options import FitOptions
from figureground.models.last_layer import last_layer
from figureground.models.predictor import PredictorSpec
from figureground.models.python import find_callable
from figureground.models.settings import NORMALISATIONS
from figureground.models.weights import PREFIXES, State, load_weights, read_state_dict

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("torch", extra="train", needed_for="building a torch network") from error

KINDS = {"segment": ("smp", "torchvision", "grid", "python"), "classify": ("timm", "python")}
"""Task -> kinds of networks that learn it."""
WEIGHTS_FILE = "weights.safetensors"
_SHOWN = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network that can be built, with what it needs around it."""

    text: str
    """The spec it was named by."""
    stride_px: int
    """Inputs are padded to a multiple of this."""
    encoder: str | None
    """Name of the submodule that is the encoder, empty for the network itself; None where that is not known."""
    head: tuple[str, ...] = ()
    """Names of submodules that weights for the encoder do not bring."""
    build: Callable[[int], nn.Module]
    """The network with random weights for a number of classes."""


class Network(nn.Module):
    """A network whose logits have the size of its input, whatever its library gives; those of a classifier are of one pixel.

    Args:
        network: module from float [batch, 3, height, width] to logits, or to a mapping with the logits under `out`.
        stride_px: inputs are padded at the bottom and the right, with 0, to a multiple of this.
        classifies: the module gives logits [batch, classes].
    """

    def __init__(self, network: nn.Module, *, stride_px: int = 1, classifies: bool = False) -> None:
        super().__init__()
        self.network, self.stride_px, self.classifies = network, stride_px, classifies
        self.frozen: tuple[nn.Module, ...] = ()
        """Parts of it that stay in evaluation mode."""

    def train(self, mode: bool = True) -> Network:
        """The network in training or evaluation mode, all but what is frozen."""
        super().train(mode)
        for part in self.frozen:
            part.train(mode=False)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Logits float [batch, classes, height, width] of float [batch, 3, height, width]; [batch, classes, 1, 1] of a classifier."""
        if self.classifies:
            return class_logits_of(self.network(images))
        height, width = images.shape[-2:]
        below, right = -height % self.stride_px, -width % self.stride_px
        padded = functional.pad(images, (0, right, 0, below)) if below or right else images
        logits = logits_of(self.network(padded))
        if logits.shape[-2:] != padded.shape[-2:]:
            logits = functional.interpolate(logits, size=padded.shape[-2:], mode="bilinear", align_corners=False)
        return logits[..., :height, :width]


def logits_of(output: Any) -> Tensor:
    """The logits in what a network gives: the output itself, or its entry `out`; anything else raises `InputError`."""
    logits = output.get("out") if isinstance(output, Mapping) else output
    if not isinstance(logits, Tensor) or logits.ndim != 4:
        shown = f"a tensor {list(logits.shape)}" if isinstance(logits, Tensor) else type(output).__name__
        raise InputError(f"a network must give logits [batch, classes, height, width], or a mapping with them under 'out'; got {shown}")
    return logits


def class_logits_of(output: Any) -> Tensor:
    """Logits [batch, classes, 1, 1] of what a classifier gives, [batch, classes]; anything else raises `InputError`."""
    if not isinstance(output, Tensor) or output.ndim != 2:
        shown = f"a tensor {list(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise InputError(f"a classifier must give logits [batch, classes]; got {shown}. Train what gives a map with --task segment")
    return output[:, :, None, None]


def find_architecture(text: str, task: str = "segment") -> Architecture:
    """What a text such as `smp:unet/resnet18?decoder_channels=64,32,16,8,8` names; nothing is built yet.

    Args:
        text: `KIND:WHERE?argument=value`.
        task: `segment` or `classify`, what it is to learn.

    Raises:
        InputError: an unknown kind, network or setting, or a kind for another task.
        MissingExtra: the library of this kind is not installed.
    """
    parsed = parse_spec(text)
    if parsed.kind is None or parsed.kind not in KINDS[task]:
        raise InputError(_unfit_kind(text, task))
    kinds = {"smp": _smp, "torchvision": _torchvision, "grid": _grid, "python": _python, "timm": _timm}
    return kinds[parsed.kind](text, parsed.where, parsed.options)


def _unfit_kind(text: str, task: str) -> str:
    if task == "classify":
        return f"`architecture` must be timm:NAME or python:FILE.py:FUNCTION for task classify; got '{text}'. For example timm:resnet18"
    known = "`architecture` must be smp:ARCHITECTURE/ENCODER, torchvision:NAME, grid:BACKBONE or python:FILE.py:FUNCTION"
    more = " timm: is for --task classify" if text.startswith("timm:") else ""
    return f"{known}; got '{text}'. For example smp:unet/resnet18{'.' + more if more else ''}"


def architecture_digest(text: str) -> dict[str, str]:
    """Digest of the source of a Python architecture under `architecture`, "" where it has none; nothing for those of libraries."""
    parsed = parse_spec(text)
    if parsed.kind != "python":
        return {}
    source = inspect.getsourcefile(inspect.unwrap(find_callable(parsed.where, what=text)))
    return {"architecture": file_digest([Path(source)]) if source else ""}


def build_network(architecture: Architecture, *, classes: int, seed: int, classifies: bool = False) -> Network:
    """The network with random weights that depend on the seed alone; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(architecture.build(classes), stride_px=architecture.stride_px, classifies=classifies)


def network_to_train(options: FitOptions, *, classes: int) -> tuple[Network, tuple[str, ...]]:
    """The network that the options name with the weights it starts from, and notes on what was done with those.

    Args:
        options: `task`, `architecture`, `encoder_weights`, `weights`, `masktune`, `coral`, `seed`.
        classes: channels of the logits.

    Raises:
        InputError: an unknown network, or weights that are absent, unsafe or do not fit.
        MissingExtra: the library of the network is not installed.
    """
    architecture = find_architecture(options.architecture, options.task)
    network = build_network(architecture, classes=classes, seed=options.seed, classifies=options.task == "classify")
    notes: tuple[str, ...] = ()
    if options.encoder_weights:
        notes += load_encoder(network.network, architecture, Path(options.encoder_weights))
    if options.coral:
        last_layer(network.network, classes=classes)  # refuses a network without one before anything is written
    if start := options.weights or options.masktune:
        given = Path(start.removeprefix("weights:"))
        path = given / WEIGHTS_FILE if given.is_dir() else given
        state, unwrapped = read_state_dict(path)
        notes += unwrapped + load_weights(network.network, state, where=f"{path} for {options.architecture}")
    return network, notes


def load_encoder(network: nn.Module, architecture: Architecture, path: Path) -> tuple[str, ...]:
    """Copies weights from a file into the encoder of a network; what the file holds beyond it (a classifier) is left out.

    Names may bear the prefix of a checkpoint, or lack the `model.` of timm's encoders.

    Returns:
        Notes on what was left out.

    Raises:
        InputError: the network has no known encoder, or the file lacks weights of it or holds them in another size.
    """
    encoder = network.get_submodule(architecture.encoder) if architecture.encoder is not None else None
    if not isinstance(encoder, nn.Module):
        raise InputError(
            f"`encoder_weights`: which part of {architecture.text} is its encoder is not known. Load the weights in the function that "
            "builds the network, or give `weights` for all of it"
        )
    state, notes = read_state_dict(path)
    expected = {name: t for name, t in encoder.state_dict().items() if not name.startswith(tuple(f"{head}." for head in architecture.head))}
    state = _best_fit(state, expected, names=(architecture.encoder or "", "encoder", "backbone"))
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    sizes = [f"{n} {list(state[n].shape)} for {list(t.shape)}" for n, t in expected.items() if n in state and state[n].shape != t.shape]
    if missing or sizes:
        listed = "; ".join(f"{len(n)} {word}: {_first(n)}" for n, word in ((missing, "missing"), (sizes, "of another size")) if n)
        raise InputError(
            f"{path}: the weights do not fit the encoder of {architecture.text} ({listed}). Name the encoder they were trained with"
        )
    left_out = [name for name in state if name not in expected]
    encoder.load_state_dict({name: state[name] for name in expected if name in state}, strict=False)
    return (*notes, f"encoder from {path.name}" + (f"; left out: {len(left_out)} names, {_first(left_out)}" if left_out else ""))


def trained_spec(where: str, options: FitOptions, *, classes: int, class_names: tuple[str, ...] = ()) -> PredictorSpec:
    """How pictures reach a network that was trained with these options.

    Args:
        where: directory of the weights.
        options: of the training.
        classes: channels of the logits.
        class_names: what the channels are called.
    """
    mean, std = NORMALISATIONS[options.norm]
    return PredictorSpec(
        kind="weights",
        where=where,
        classes=classes,
        size_hw=(options.size, options.size) if options.size else None,
        stride_px=find_architecture(options.architecture, options.task).stride_px,
        mean=mean,
        std=std,
        class_names=class_names,
    )


def _smp(text: str, where: str, settings: Mapping[str, str]) -> Architecture:
    from figureground.models.smp import build_smp, find_smp

    found = find_smp(where)
    _check_settings(text, settings, found.settings)
    return Architecture(text=text, stride_px=32, encoder="encoder", build=lambda classes: build_smp(found, settings, classes=classes))


def _torchvision(text: str, where: str, settings: Mapping[str, str]) -> Architecture:
    from figureground.models.torchvision_network import build_torchvision, check_torchvision

    check_torchvision(where)
    _check_settings(text, settings, ())
    return Architecture(
        text=text, stride_px=1, encoder="backbone", build=lambda classes: build_torchvision(where, classes, auxiliary=False)
    )


def _grid(text: str, where: str, settings: Mapping[str, str]) -> Architecture:
    from figureground.models.grid import build_grid, read_grid

    layout = read_grid(text, where, settings)
    return Architecture(text=text, stride_px=1, encoder="backbone", build=lambda classes: build_grid(layout, classes=classes))


def _timm(text: str, where: str, settings: Mapping[str, str]) -> Architecture:
    from figureground.models.timm_network import build_timm, head_of

    heads = head_of(where, settings)
    return Architecture(text=text, stride_px=1, encoder="", head=heads, build=lambda classes: build_timm(where, settings, classes=classes))


def _python(text: str, where: str, settings: Mapping[str, str]) -> Architecture:
    from ast import literal_eval

    function = find_callable(where, what=text)

    def value(given: str) -> Any:
        try:
            return literal_eval(given)
        except (ValueError, SyntaxError):
            return given

    def build(classes: int) -> nn.Module:
        try:
            network = function(classes=classes, **{key: value(given) for key, given in settings.items()})
        except TypeError as error:
            raise InputError(f"{text}: cannot be called with classes={classes} ({error}). Write `def build(classes): ...`") from error
        if not isinstance(network, nn.Module):
            raise InputError(f"{text}: must return a torch module; it returned {type(network).__name__}")
        return network

    return Architecture(text=text, stride_px=1, encoder=None, build=build)


def _check_settings(text: str, settings: Mapping[str, str], known: tuple[str, ...]) -> None:
    if unknown := [key for key in settings if key not in known]:
        raise InputError(f"`architecture` {text}: unknown setting `{unknown[0]}`. Known: {', '.join(known) or 'none'}")


def _best_fit(state: State, expected: Mapping[str, Tensor], *, names: tuple[str, ...]) -> State:
    """The state under the prefix, taken off or put on, with which most of its names are expected."""
    prefixes = ("", *PREFIXES, *(f"{first}{name}." for name in names if name for first in ("", "network.", "module.", "model.")))
    forms = [
        *({name.removeprefix(p): t for name, t in state.items() if name.startswith(p)} for p in prefixes),
        {f"model.{name}": t for name, t in state.items()},
    ]
    return max(forms, key=lambda form: sum(name in expected for name in form))


def _first(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
