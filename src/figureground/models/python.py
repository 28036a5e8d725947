"""`python:MODULE:CALLABLE` or `python:FILE.py:CALLABLE`: any network that a Python callable runs."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from figureground.core.errors import InputError
from figureground.models.digest import check_digest, file_digest
from figureground.models.predictor import PredictorSpec
from figureground.models.settings import read_settings

_PROBE_PX = 64


class CallablePredictor:
    """A callable behind the `Predictor` port; it takes float32 [batch, 3, height, width] and gives logits."""

    def __init__(self, function: Callable[[np.ndarray], Any], *, spec: PredictorSpec) -> None:
        self.spec = spec
        self._function: Callable[[np.ndarray], Any] | None = function

    def forward(self, images: np.ndarray) -> np.ndarray:
        """Logits float32 [batch, classes, height', width'] of float32 [batch, 3, height, width]."""
        if self._function is None:
            raise InputError(f"{self.spec.kind}:{self.spec.where}: this predictor is closed; open it again")
        return call_for_logits(self._function, images, f"{self.spec.kind}:{self.spec.where}")

    def close(self) -> None:
        """Let go of the callable and what it holds."""
        self._function = None


def open_python(where: str, settings: Mapping[str, str], *, device: str) -> CallablePredictor:
    """A callable `MODULE:CALLABLE`, found on the Python path or in the working directory, or `FILE.py:CALLABLE`.

    With `factory=1` the callable takes no argument and returns the one to run: the place to load a network once.
    Defaults: no normalisation (range 0..1), each picture's own size, as many classes as a first empty picture gives.
    The callable chooses its own device; `device` is not used.

    Raises:
        InputError: no such module or callable, or one that does not give logits.
    """
    what = f"python:{where}"
    read = read_settings(settings, where=what, own=("factory",), norm="none")
    named = find_callable(where, what=what)
    function = _call_factory(named, what) if read.own.get("factory", "0") not in ("0", "") else named
    source = _source_file(named)
    digest = file_digest([source]) if source else None
    if digest:
        check_digest(digest, read.fields.get("sha256"), where=what)
    notes = (f"digest of the source file {source.name}; what it loads is not covered",) if source else ("no source file, so no digest",)
    fields = {**read.fields, "sha256": digest, "classes": _count_classes(function, read.fields, what)}
    spec = PredictorSpec(kind="python", where=where, extra=tuple(sorted(read.own.items())), notes=notes, **fields)
    return CallablePredictor(function, spec=spec)


def call_for_logits(function: Callable[[np.ndarray], Any], images: np.ndarray, what: str) -> np.ndarray:
    """What a callable gives, as float32 [batch, classes, height', width']; any other shape raises `InputError`."""
    output = function(images)
    torch = sys.modules.get("torch")  # a tensor can only come from a torch that is loaded already
    if torch is not None and isinstance(output, torch.Tensor):
        output = output.detach().to("cpu", torch.float32).numpy()
    logits = np.asarray(output)
    if logits.ndim != 4 or len(logits) != len(images) or not np.issubdtype(logits.dtype, np.floating):
        raise InputError(
            f"{what}: must give floating logits [batch, classes, height, width]; got {logits.dtype} {list(logits.shape)} "
            f"for float32 {list(images.shape)}"
        )
    return np.ascontiguousarray(logits, dtype=np.float32)


def find_callable(where: str, *, what: str) -> Callable[..., Any]:
    """The callable that `MODULE:NAME` or `FILE.py:NAME` names, imported now; `InputError` where there is none."""
    name, colon, attribute = where.rpartition(":")
    if not colon or not name or not attribute:
        raise InputError(f"{what}: must be python:MODULE:CALLABLE or python:FILE.py:CALLABLE")
    try:
        found: Any = _module_of_file(Path(name)) if name.endswith(".py") else _module(name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{what}: {error}. Give a module on the Python path or in the working directory, and a name in it") from error
    if not callable(found):
        raise InputError(f"{what}: `{attribute}` is {type(found).__name__} and cannot be called. Name a function or a class")
    return found


def _module(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that a file here cannot stand in for an installed package
    return importlib.import_module(name)


def _module_of_file(path: Path) -> Any:
    """A file as a module of its own, whatever else bears its name; imported once."""
    name = f"{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ImportError(f"there is no file {path}")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _call_factory(factory: Callable[..., Any], what: str) -> Callable[[np.ndarray], Any]:
    function = factory()
    if not callable(function):
        raise InputError(f"{what}: with factory=1 it must return a callable; it returned {type(function).__name__}")
    return function


def _source_file(named: Callable[..., Any]) -> Path | None:
    try:
        file = inspect.getsourcefile(inspect.unwrap(named))
    except TypeError:
        return None
    return Path(file) if file and Path(file).is_file() else None


def _count_classes(function: Callable[[np.ndarray], Any], fields: Mapping[str, Any], what: str) -> int:
    height, width = fields.get("size_hw") or (_PROBE_PX, _PROBE_PX)
    stride = fields.get("stride_px", 1)
    probe = np.zeros((1, 3, -(-height // stride) * stride, -(-width // stride) * stride), np.float32)
    found = call_for_logits(function, probe, what).shape[1]
    if fields.get("classes", found) != found:
        raise InputError(f"{what}: gives {found} channels; `classes` says {fields['classes']}. Leave `classes` out")
    return int(found)
