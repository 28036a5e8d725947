"""The network that is repaired: what its card says, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.data.dataset import Dataset
from figureground.data.spec import check_keys, parse_spec
from figureground.models.digest import file_digest
from figureground.models.fit.batch import IGNORE
from figureground.models.fit.networks import WEIGHTS_FILE, Architecture, Network, build_network, find_architecture
from figureground.models.trained import read_card
from figureground.models.weights import load_weights, read_state_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A trained network on disk."""

    folder: Path
    card: Mapping[str, Any]
    architecture: Architecture
    size: int
    """Side of the square that pictures are resized to; 0 = native."""
    norm: str
    indices: ClassTable
    """The classes by index of their channel, with the `ignore` that training has: what all masks are brought to."""

    @property
    def names(self) -> tuple[str, ...]:
        """Class of each channel."""
        return self.indices.names

    @property
    def file(self) -> Path:
        """Its weights."""
        return self.folder / WEIGHTS_FILE

    def network(self) -> Network:
        """The network with its weights, new at each call."""
        network = build_network(self.architecture, classes=len(self.names), seed=0)
        load_weights(network.network, read_state_dict(self.file)[0], where=f"{self.file} for {self.architecture.text}")
        return network


def open_target(text: str) -> Target:
    """What `DIR`, `weights:DIR` or `weights:DIR?architecture=SPEC` names.

    Raises:
        InputError: no such directory or card, another file of weights than the card is about, or Python code that was not named.
    """
    given = parse_spec(text if text.startswith("weights:") else f"weights:{text}")
    check_keys(given.options, ("architecture",), where=text)
    folder = Path(given.where)
    card = read_card(folder)
    if card.get("task") == "classify":
        raise InputError(f"{folder}: holds a classifier, and only segmentation networks can be repaired. Train it again on more data")
    named = given.options.get("architecture", card["architecture"])
    if "architecture" not in given.options and named.startswith("python:"):
        raise InputError(
            f"{text}: its network is built by Python code, {named}, which is not run on the word of a file. Where you trust it, say so: "
            f"weights:{folder}?architecture={named.replace('?', '%3F')}"
        )
    if not (folder / WEIGHTS_FILE).is_file() or file_digest([folder / WEIGHTS_FILE]) != card["sha256"]:
        raise InputError(f"{folder}: {WEIGHTS_FILE} is not the file that its card is about. Fetch both again")
    try:
        options, classes = card["options"], card["classes"]
        size, norm = int(options["size"]), str(options["norm"])
        background = classes["ids"].index(classes["background"])
        indices = ClassTable(names=tuple(classes["names"]), background=background, ignore=IGNORE)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: the card does not say how the network was trained ({error}). Train it again with `train`") from error
    return Target(folder=folder, card=card, architecture=find_architecture(named), size=size, norm=norm, indices=indices)


def check_classes(target: Target, classes: ClassTable, *, what: str) -> None:
    """Raise `InputError` where something has other classes, or the same in another order, than the network has channels."""
    if classes.names != target.names or classes.ids.index(classes.background) != target.indices.background:
        raise InputError(
            f"{what}: its classes are {', '.join(classes.names)}, and those of {target.folder} are {', '.join(target.names)}. "
            "Give data and labels of the classes that the network knows, in the same order"
        )


def choose_split(dataset: Dataset, name: str, flag: str) -> Dataset:
    """The samples of a split; all of them where no split is asked for or the data set knows none.

    Raises:
        InputError: a split that the data set has not.
    """
    known = sorted({s.split for s in dataset.samples if s.split})
    if not name or not known:
        return dataset
    if name not in known:
        raise InputError(f"{dataset.name} has no split '{name}'; it has {', '.join(known)}. Give {flag} one of them, or {flag} '' for all")
    return dataset.select(split=name)
