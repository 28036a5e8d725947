"""`weights:DIR`: a network that `figureground train` trained, with the size and normalisation it was trained at."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figureground.core.errors import InputError
from figureground.models.digest import check_digest, file_digest
from figureground.models.fit.networks import WEIGHTS_FILE, find_architecture, logits_of
from figureground.models.predictor import PredictorSpec, json_to_predictor_spec
from figureground.models.settings import read_settings
from figureground.models.torch_network import TorchPredictor, finish_network
from figureground.models.weights import read_state_dict

CARD = "card.json"
CARD_VERSION = 1


def open_weights(where: str, settings: Mapping[str, str], *, device: str) -> TorchPredictor:
    """The network of an artifact of kind `weights`.

    `where` is the directory. What was trained, its classes, size, normalisation and digest are in its `card.json`; settings win over it.
    `architecture=` names the network anew; it must be given where the card names Python code, which is never run on the word of a file.

    Raises:
        InputError: no such directory or card, another file of weights than the card is about, or a network that it does not fit.
        MissingExtra: the library of the network is not installed.
    """
    what, folder = f"weights:{where}", Path(where)
    card = read_card(folder)
    if card.get("task") == "classify":
        raise InputError(f"{what}: this network classifies pictures and gives no masks. Use `figureground classify {what} DATA`")
    trained, text = _spec_of(card, what), settings.get("architecture", card["architecture"])
    if "architecture" not in settings and text.startswith("python:"):
        raise InputError(
            f"{what}: its network is built by Python code, {text}, which is not run on the word of a file. Where you trust it, say so: "
            f"{what}?architecture={text}"
        )
    defaults = {f.name: getattr(trained, f.name) for f in dataclasses.fields(trained) if f.name in _DEFAULTS}
    read = read_settings(settings, where=what, own=("architecture",), norm=None, **defaults)
    digest = file_digest([folder / WEIGHTS_FILE]) if (folder / WEIGHTS_FILE).is_file() else None
    if digest != card["sha256"]:
        raise InputError(f"{what}: {WEIGHTS_FILE} is not the file that its card is about. Fetch both again")
    check_digest(card["sha256"], read.fields.get("sha256"), where=what)
    state, notes = read_state_dict(folder / WEIGHTS_FILE)
    network = find_architecture(text).build(read.fields["classes"])
    fields: dict[str, Any] = {**read.fields, "sha256": card["sha256"], "class_names": trained.class_names}
    spec = PredictorSpec(kind="weights", where=where, extra=tuple(sorted(read.own.items())), notes=notes, **fields)
    return finish_network(network, state, spec=spec, device=device, logits_of=logits_of)


def read_card(folder: Path) -> dict[str, Any]:
    """The content of `card.json`; anything that is no card of weights raises `InputError`."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a card of weights. Give a directory that `figureground train` wrote") from error
    if not isinstance(card, dict) or card.get("card") != CARD_VERSION or not {"architecture", "sha256", "model"} <= set(card):
        raise InputError(f"{path}: is no card of weights of version {CARD_VERSION}. Give a directory that `figureground train` wrote")
    return card


def _spec_of(card: Mapping[str, Any], what: str) -> PredictorSpec:
    try:
        return json_to_predictor_spec(card["model"])
    except InputError as error:
        raise InputError(f"{what}: the card says what no network can be ({error})") from error


_DEFAULTS = ("classes", "size_hw", "short_side_px", "stride_px", "mean", "std", "scale", "order", "resize", "window", "overlap")
