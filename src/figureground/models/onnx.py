"""`onnx:FILE.onnx`: a network exported to ONNX, run by onnxruntime on the processor."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from figureground.core.errors import InputError, MissingExtra
from figureground.models.digest import check_digest, file_digest
from figureground.models.predictor import PredictorSpec
from figureground.models.settings import Settings, read_settings

try:
    import onnxruntime
except ImportError as error:
    raise MissingExtra("onnxruntime", extra="onnx", needed_for="the model kind 'onnx:'") from error

_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}
_PROBE_PX = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OnnxInput:
    """What a model says of its picture input."""

    name: str
    dtype: type
    channels_last: bool
    batch: int | None
    """None = any."""
    size_hw: tuple[int | None, int | None]


class OnnxPredictor:
    """An onnxruntime session behind the `Predictor` port."""

    def __init__(self, session: Any, *, entry: OnnxInput, output: str, spec: PredictorSpec) -> None:
        self.spec = spec
        self._session, self._entry, self._output = session, entry, output

    def forward(self, images: np.ndarray) -> np.ndarray:
        """Logits float32 [batch, classes, height', width'] of float32 [batch, 3, height, width]."""
        if self._session is None:
            raise InputError(f"{self.spec.kind}:{self.spec.where}: this predictor is closed; open it again")
        step = self._entry.batch or len(images)
        parts = [self._run(images[start : start + step], step) for start in range(0, len(images), step)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def close(self) -> None:
        """Let go of the session."""
        self._session = None

    def _run(self, images: np.ndarray, batch: int) -> np.ndarray:
        fill = np.zeros((batch - len(images), *images.shape[1:]), images.dtype)
        given = np.concatenate([images, fill]) if len(fill) else images
        logits = run_session(self._session, given, entry=self._entry, output=self._output)
        return np.ascontiguousarray(logits[: len(images)], dtype=np.float32)


def open_onnx(where: str, settings: Mapping[str, str], *, device: str) -> OnnxPredictor:
    """A network in an ONNX file; input name, dtype, layout and fixed sizes are read from the model.

    Own settings: `output` = name of the output that holds the logits, `threads` = threads of onnxruntime.
    Defaults: no normalisation (range 0..1, or 0..255 where the input is uint8), the size the model fixes, else each picture's own.

    Raises:
        InputError: no such file, no valid model, an output that is no map of logits, a size that the model does not take.
    """
    what = f"onnx:{where}"
    if device not in ("cpu", "auto"):
        raise InputError(f"{what}: `device` must be cpu or auto for an ONNX model; got '{device}'")
    session = _open_session(where, settings.get("threads", "0"), what)
    entry = read_input(session, what)
    read = read_settings(settings, where=what, own=("output", "threads"), norm="none", scale=255.0 if entry.dtype is np.uint8 else 1.0)
    output = _choose_output(session, read.own.get("output"), what)
    digest = file_digest([Path(where)])
    check_digest(digest, read.fields.get("sha256"), where=what)
    fields = {**read.fields, "sha256": digest, "size_hw": _choose_size(read, entry, what)}
    fields["classes"] = _count_classes(session, entry, output, fields, what)
    spec = PredictorSpec(kind="onnx", where=where, extra=tuple(sorted(read.own.items())), **fields)
    return OnnxPredictor(session, entry=entry, output=output, spec=spec)


def read_input(session: Any, what: str) -> OnnxInput:
    """The single 4-D picture input of a model; anything else raises `InputError`."""
    inputs = session.get_inputs()
    shapes = "; ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _DTYPES:
        raise InputError(
            f"{what}: needs one picture input [batch, 3, height, width]; the model has {shapes}. Export it with that input alone"
        )
    batch, *axes = (side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape)
    last = axes[2] == 3 and axes[0] != 3
    if not last and axes[0] not in (3, None):
        raise InputError(f"{what}: the picture input must have 3 channels; the model has {shapes}")
    size = (axes[0], axes[1]) if last else (axes[1], axes[2])
    return OnnxInput(name=inputs[0].name, dtype=_DTYPES[inputs[0].type], channels_last=last, batch=batch, size_hw=size)


def run_session(session: Any, images: np.ndarray, *, entry: OnnxInput, output: str) -> np.ndarray:
    """The output of a session for float32 [batch, 3, height, width], in the model's own dtype, channels first."""
    given = np.rint(images).clip(0, 255) if entry.dtype is np.uint8 else images
    if entry.channels_last:
        given = given.transpose(0, 2, 3, 1)
    values = session.run([output], {entry.name: np.ascontiguousarray(given, dtype=entry.dtype)})[0]
    return values.transpose(0, 3, 1, 2) if entry.channels_last else values


def _open_session(where: str, threads: str, what: str) -> Any:
    if not Path(where).is_file():
        raise InputError(f"{what}: there is no such file. Give onnx:FILE.onnx")
    if not threads.isdecimal():
        raise InputError(f"{what}: `threads` must be a whole number; got '{threads}'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(where, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what}: cannot be opened as an ONNX model ({reason}). Export it again") from error


def _choose_output(session: Any, name: str | None, what: str) -> str:
    outputs = {o.name: o for o in session.get_outputs()}
    maps = [o.name for o in outputs.values() if (len(o.shape) == 4 and "float" in o.type) or o.type == "tensor(double)"]
    listed = "; ".join(f"{o.name} {o.type} {o.shape}" for o in outputs.values())
    if name is not None and name not in maps:
        raise InputError(f"{what}: `output` '{name}' is no map of logits [batch, classes, height, width]; the model has {listed}")
    if not maps:
        raise InputError(f"{what}: has no output of logits [batch, classes, height, width] but {listed}. Export it without the argmax")
    return name or maps[0]


def _choose_size(read: Settings, entry: OnnxInput, what: str) -> tuple[int, int] | None:
    height, width = entry.size_hw
    fixed = (height, width) if height and width else None
    given = read.fields.get("size_hw")
    if fixed and "size_hw" in read.given and given != fixed:
        raise InputError(f"{what}: the model takes {height}x{width} pixels only; `size` says {given}. Leave `size` out")
    return fixed or given


def _count_classes(session: Any, entry: OnnxInput, output: str, fields: Mapping[str, Any], what: str) -> int:
    """Channels of the output, found by running one empty picture: a declared shape may be symbolic."""
    height, width = fields["size_hw"] or (_PROBE_PX, _PROBE_PX)
    stride = fields.get("stride_px", 1)
    probe = np.zeros((entry.batch or 1, 3, -(-height // stride) * stride, -(-width // stride) * stride), np.float32)
    try:
        found = run_session(session, probe, entry=entry, output=output)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what}: does not run on {probe.shape[2]}x{probe.shape[3]} pixels ({reason}). Give `size` or `stride`") from error
    if fields.get("classes", found.shape[1]) != found.shape[1]:
        raise InputError(f"{what}: gives {found.shape[1]} channels; `classes` says {fields['classes']}. Leave `classes` out")
    return int(found.shape[1])
