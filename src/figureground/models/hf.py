"""`hf:DIR`: a transformers model for semantic segmentation from a local directory, never with a download."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figureground.core.errors import InputError, MissingExtra
from figureground.models.digest import check_digest, file_digest
from figureground.models.predictor import PredictorSpec
from figureground.models.settings import Settings, read_settings
from figureground.models.torch_network import TorchPredictor, find_device
from figureground.models.weights import read_state_dict

try:
    import transformers
except ImportError as error:
    raise MissingExtra("transformers", extra="hf", needed_for="the model kind 'hf:'") from error

_RESIZES = {2: "bilinear", 3: "bicubic"}  # the numbers Pillow gives its filters
_QUERIES = ("maskformer", "mask2former", "oneformer", "eomt")


def open_hf(where: str, settings: Mapping[str, str], *, device: str) -> TorchPredictor:
    """A transformers model whose output has `logits` [batch, labels, height, width].

    Size, resizing and normalisation come from `preprocessor_config.json`, where the directory has one; settings of the
    spec go before it. Without the file, `norm` or `mean` and `std` must be given.

    Raises:
        InputError: no model directory, a model that gives masks and classes by query, weights that are absent, unsafe
            or do not fit, or a normalisation that is said nowhere.
    """
    what, directory = f"hf:{where}", Path(where)
    config = _read_json(directory / "config.json", what)
    if config is None:
        raise InputError(f"{what}: has no config.json. Give a directory written by `save_pretrained`")
    preset, notes = preprocessing(_read_json(directory / "preprocessor_config.json", what), what)
    read = read_settings(settings, where=what, norm=None, **preset)
    fields = _checked_fields(read, what)
    digest = file_digest(_defining_files(directory, what))
    check_digest(digest, fields.get("sha256"), where=what)
    network, loaded = _load(directory, config, what)
    names = tuple(network.config.id2label[i] for i in sorted(network.config.id2label))
    if fields.get("classes", len(names)) != len(names):
        raise InputError(f"{what}: the model has {len(names)} labels; `classes` says {fields['classes']}. Leave `classes` out")
    fields |= {"classes": len(names), "sha256": digest, "notes": notes + loaded}
    spec = PredictorSpec(kind="hf", where=where, class_names=names, **fields)
    found = find_device(device)
    network.eval().requires_grad_(requires_grad=False).to(found)
    return TorchPredictor(network, spec=spec, device=found, logits_of=lambda output: output.logits)


def preprocessing(config: Mapping[str, Any] | None, what: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields of `PredictorSpec` that a preprocessor configuration stands for, and notes on what is not applied."""
    if config is None:
        return {}, ("no preprocessor_config.json: size and normalisation are those of the spec",)
    try:
        return _preprocessing(config, what)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what}: preprocessor_config.json cannot be understood ({type(error).__name__}: {error})") from error


def _preprocessing(config: Mapping[str, Any], what: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    fields, notes = _resizing(config, what)
    if config.get("do_rescale", True):
        fields["scale"] = 255.0 * float(config.get("rescale_factor", 1 / 255))
    else:
        fields["scale"] = 255.0
    normalise = config.get("do_normalize", "image_mean" in config)
    fields["mean"] = tuple(map(float, config["image_mean"])) if normalise else (0.0, 0.0, 0.0)
    fields["std"] = tuple(map(float, config["image_std"])) if normalise else (1.0, 1.0, 1.0)
    if config.get("do_flip_channel_order"):
        fields["order"] = "bgr"
    if config.get("do_center_crop"):
        notes = (*notes, "the centre crop of preprocessor_config.json is not applied: every pixel needs a prediction")
    return fields, notes


def _resizing(config: Mapping[str, Any], what: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    if not config.get("do_resize", "size" in config):
        return {}, ()
    size, resample = config.get("size"), config.get("resample", 2)
    fields: dict[str, Any] = {"resize": _RESIZES.get(resample, "bilinear")}
    notes = () if resample in _RESIZES else (f"resampling filter {resample} is replaced by bilinear with antialiasing",)
    if isinstance(size, int):
        return {**fields, "size_hw": (size, size)}, notes
    if isinstance(size, Mapping) and {"height", "width"} <= set(size):
        return {**fields, "size_hw": (int(size["height"]), int(size["width"]))}, notes
    if isinstance(size, Mapping) and "shortest_edge" in size:
        return {**fields, "short_side_px": int(size["shortest_edge"])}, notes
    raise InputError(f"{what}: `size` in preprocessor_config.json is {size}; give size=HEIGHTxWIDTH in the model spec instead")


def _checked_fields(read: Settings, what: str) -> dict[str, Any]:
    fields = dict(read.fields)
    if "mean" not in fields or "std" not in fields:
        raise InputError(f"{what}: has no preprocessor_config.json, so say how pictures are normalised: add norm=imagenet, half or none")
    if "size_hw" in read.given:
        fields.pop("short_side_px", None)
    if "short_side_px" in read.given:
        fields.pop("size_hw", None)
    if fields.pop("weights", None):
        raise InputError(f"{what}: takes no `weights`; the directory holds them")
    return fields


def _defining_files(directory: Path, what: str) -> list[Path]:
    tensors = sorted(directory.glob("*.safetensors")) or sorted(directory.glob("pytorch_model*.bin"))
    if not tensors:
        raise InputError(f"{what}: holds neither *.safetensors nor pytorch_model.bin. Save the model again with `save_pretrained`")
    return [directory / "config.json", *tensors]


def _load(directory: Path, config: Mapping[str, Any], what: str) -> tuple[Any, tuple[str, ...]]:
    kind = str(config.get("model_type", ""))
    if kind in _QUERIES:
        raise InputError(
            f"{what}: a {kind} model gives masks and classes by query and no logits per pixel and class, so neither its label map "
            "nor its risk is defined here. Give a model with a semantic segmentation head, or combine the queries in a python: model"
        )
    safe = any(directory.glob("*.safetensors"))
    for old in () if safe else sorted(directory.glob("pytorch_model*.bin")):
        read_state_dict(old)  # refuses what would run code, in our words
    try:
        network, info = transformers.AutoModelForSemanticSegmentation.from_pretrained(
            directory,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            use_safetensors=safe,
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{what}: transformers cannot open it for semantic segmentation ({reason[:300]})") from error
    missing, sizes = sorted(info["missing_keys"]), sorted(str(key) for key in info["mismatched_keys"])
    if missing or sizes:
        raise InputError(
            f"{what}: the weights do not fit the model: {len(missing)} missing, {len(sizes)} of another size, first "
            f"{', '.join((missing + sizes)[:3])}. Without them the output would be random; save the fine-tuned model whole"
        )
    unexpected = sorted(info["unexpected_keys"])
    return network, (f"{len(unexpected)} unused weights, first {unexpected[0]}",) if unexpected else ()


def _read_json(path: Path, what: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{what}: {path.name} is no valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{what}: {path.name} must hold a JSON object")
    return content
