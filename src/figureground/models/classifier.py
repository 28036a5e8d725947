"""Classifiers that answer: those that `train --task classify` wrote, and networks of timm with weights from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from figureground.core.errors import InputError
from figureground.core.progress import Reporter
from figureground.core.types import ClassTable
from figureground.data.dataset import Dataset
from figureground.data.spec import check_keys, listed, parse_spec
from figureground.models.digest import check_digest, file_digest
from figureground.models.fit.labelled import labelled_data
from figureground.models.fit.loader import Loader
from figureground.models.fit.networks import WEIGHTS_FILE, Network, find_architecture
from figureground.models.fit.options import FitOptions
from figureground.models.fit.precision import reproducible
from figureground.models.fit.samples import TrainData
from figureground.models.fit.step import forward
from figureground.models.last_layer import Features
from figureground.models.predictor import CLASSIFIERS
from figureground.models.settings import NORMALISATIONS
from figureground.models.torch_network import find_device
from figureground.models.trained import read_card
from figureground.models.weights import load_weights, read_state_dict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """A network that answers with classes, on the processor and in evaluation mode, and what determines its numbers."""

    text: str
    """The spec it was opened by."""
    network: Network
    names: tuple[str, ...]
    """Class of each channel."""
    size: int
    """Side of the square that pictures are resized to, in pixels."""
    norm: str
    sha256: str
    """Digest of the weights."""
    file: Path
    """The weights."""
    card: Mapping[str, Any] | None = None
    """What is known of its training."""

    @property
    def classes(self) -> ClassTable:
        """The classes as a table, in which `background` means nothing."""
        return ClassTable(names=self.names, ignore=None)


def open_classifier(text: str) -> Classifier:
    """The classifier that `weights:DIR`, a directory, or `timm:NAME?weights=FILE&names=A,B` names.

    Raises:
        InputError: an unknown kind or setting, weights that are absent, unsafe or do not fit, or a network that is no classifier.
        MissingExtra: the library of this kind is not installed.
    """
    parsed = parse_spec(text)
    if parsed.kind is None:
        parsed = parse_spec(f"weights:{text}")
    found: Classifier = CLASSIFIERS.resolve(parsed.kind or "weights")(parsed.where, parsed.options)
    return found


def open_trained(where: str, settings: Mapping[str, str]) -> Classifier:
    """A directory that `train --task classify` wrote.

    Options:
        architecture: the network anew; it must be given where the card names Python code, which is never run on the word of a file.
        sha256: digest that the weights must have.

    Raises:
        InputError: no such directory or card, a network that gives masks, or other weights than the card is about.
    """
    text, folder = f"weights:{where}", Path(where)
    check_keys(settings, ("architecture", "sha256"), where=text)
    card = read_card(folder)
    if card.get("task") != "classify":
        raise InputError(f"{text}: this network gives masks and does not classify. Use `figureground predict {text} DATA`")
    named = settings.get("architecture", card["architecture"])
    if "architecture" not in settings and named.startswith("python:"):
        raise InputError(
            f"{text}: its network is built by Python code, {named}, which is not run on the word of a file. Where you trust it, say so: "
            f"{text}?architecture={named}"
        )
    file = folder / WEIGHTS_FILE
    if not file.is_file() or (digest := file_digest([file])) != card["sha256"]:
        raise InputError(f"{text}: {WEIGHTS_FILE} is not the file that its card is about. Fetch both again")
    check_digest(digest, settings.get("sha256"), where=text)
    names, options = tuple(card["classes"]["names"]), card["options"]
    network = _network(named, len(names), file)
    size, norm = int(options["size"]), str(options["norm"])
    return Classifier(text=text, network=network, names=names, size=size, norm=norm, sha256=digest, file=file, card=card)


def open_timm(where: str, settings: Mapping[str, str]) -> Classifier:
    """A network of timm by its name, with trained weights; what else is given are arguments of its own.

    Options:
        weights: file with the weights of the whole network.
        names: what its channels are called, in their order, such as `landbird,waterbird`.
        size: side of the square that pictures are resized to, in pixels; default 224.
        norm: `imagenet` (the default), `half` or `none`: what is taken off inputs in 0..1.
        sha256: digest that the weights must have.

    Raises:
        InputError: an unknown network, no weights or names, or weights that do not fit.
    """
    text, own = f"timm:{where}", ("weights", "names", "size", "norm", "sha256")
    names = tuple(listed(settings, "names") or ())
    if not settings.get("weights") or len(names) < 2:
        raise InputError(f"{text}: add ?weights=FILE&names=A,B,... with the trained weights and what its channels are called")
    size, norm = settings.get("size", "224"), settings.get("norm", "imagenet")
    if not size.isdecimal() or int(size) < 1 or norm not in NORMALISATIONS:
        raise InputError(f"{text}: `size` must be a number of pixels and `norm` one of {', '.join(NORMALISATIONS)}; got {size} and {norm}")
    file = Path(settings["weights"])
    more = "&".join(f"{key}={value}" for key, value in settings.items() if key not in own)
    network = _network(f"{text}?{more}" if more else text, len(names), file)
    digest = file_digest([file])
    check_digest(digest, settings.get("sha256"), where=text)
    return Classifier(text=text, network=network, names=names, size=int(size), norm=norm, sha256=digest, file=file)


def probabilities(classifier: Classifier, dataset: Dataset, *, batch: int, workers: int, device: str, reporter: Reporter) -> np.ndarray:
    """What a classifier says of the pictures of a data set.

    Args:
        classifier: the network.
        dataset: with a picture and a label of each sample.
        batch: pictures at a time.
        workers: processes that load pictures; 0 = threads.
        device: where it runs.
        reporter: where progress is told.

    Returns:
        float32 [samples, classes], softmax; rows sum to 1.

    Raises:
        InputError: a label that the classifier does not know, or a device or batch that cannot be.
        FormatError: a faulty picture.
    """
    data = labelled_data(dataset, classes=classifier.classes, size=classifier.size, norm=classifier.norm)
    asked = {"batch": batch, "workers": workers, "device": device, "reporter": reporter}
    return _ask(classifier, data, lambda logits: logits[:, :, 0, 0].float().softmax(1), **asked)


def features(classifier: Classifier, data: TrainData, *, batch: int, workers: int, device: str, reporter: Reporter) -> np.ndarray:
    """What goes into the last layer of a classifier for each picture.

    Args:
        classifier: the network; it ends in a linear layer.
        data: from `labelled_data`, at the classifier's size and norm.
        batch: pictures at a time.
        workers: processes that load pictures; 0 = threads.
        device: where it runs.
        reporter: where progress is told.

    Returns:
        float32 [samples, features].

    Raises:
        InputError: the network does not end in a linear layer, or a device or batch that cannot be.
        FormatError: a faulty picture.
    """
    with Features(classifier.network, classes=len(classifier.names)) as seen:
        asked = {"batch": batch, "workers": workers, "device": device, "reporter": reporter}
        return _ask(classifier, data, lambda _: seen.take().float(), **asked)


def _ask(
    classifier: Classifier,
    data: TrainData,
    kept: Callable[[torch.Tensor], torch.Tensor],
    *,
    batch: int,
    workers: int,
    device: str,
    reporter: Reporter,
) -> np.ndarray:
    """What is kept of the answers to every picture, in the order of the samples."""
    found, place = [], find_device(device)
    options = FitOptions(task="classify", batch=batch, workers=workers)
    network = classifier.network.to(place).eval()
    with (
        reproducible(place),
        torch.inference_mode(),
        Loader(data, options=options, train=False) as loader,
        reporter.track("classify", total=len(data), unit="pictures", done=0) as progress,
    ):
        for one in loader.epoch(0):
            found.append(kept(forward(network, one.images.to(place), classes=len(classifier.names))).to("cpu").numpy())
            progress.advance(len(one))
    whole = np.concatenate(found)
    if not np.isfinite(whole).all():
        raise InputError(f"{classifier.text}: the network answers with what is no number. Its weights are damaged; train it again")
    return whole


def _network(architecture: str, classes: int, file: Path) -> Network:
    network = Network(find_architecture(architecture, "classify").build(classes), classifies=True)
    load_weights(network.network, read_state_dict(file)[0], where=f"{file} for {architecture}")
    return network.eval()
