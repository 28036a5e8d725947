"""Weights read without running anything that is in the file, and fitted to a network with one clear message where they do not."""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from figureground.core.errors import InputError, MissingExtra

try:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
except ImportError as error:
    raise MissingExtra(error.name or "torch", extra="torch", needed_for="reading the weights of a torch network") from error

State = dict[str, torch.Tensor]

WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
_SHOWN = 5
_TENSOR_NAMES = ("collections.OrderedDict", "torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter")


def read_state_dict(path: Path) -> tuple[State, tuple[str, ...]]:
    """The tensors of a weights file, and notes on what had to be unwrapped.

    Reads safetensors and torch files of tensors. Nothing in the file is executed: a pickle that asks for code is refused.

    Raises:
        InputError: no such file, no weights, or a pickle that wants code; the message names what it wanted.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file. Give weights=FILE with a safetensors or torch file")
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"version https://git-lfs"):
        raise InputError(f"{path}: this is a Git LFS pointer and not the weights. Fetch them with: git lfs pull")
    content = _read_safetensors(path) if path.suffix == ".safetensors" or head[8:9] == b"{" else _read_torch(path)
    return unwrap_state(content, where=str(path))


def unwrap_state(content: Any, *, where: str) -> tuple[State, tuple[str, ...]]:
    """The state dict inside a checkpoint, and notes on the wrappers and prefixes that were taken off."""
    notes: list[str] = []
    while isinstance(content, Mapping) and (wrapper := next((w for w in WRAPPERS if isinstance(content.get(w), Mapping)), None)):
        content = content[wrapper]
        notes.append(f"taken from the entry '{wrapper}' of the checkpoint")
    state = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)} if isinstance(content, Mapping) else {}
    if not state:
        raise InputError(f"{where}: holds no tensors by name. Save `network.state_dict()` as safetensors")
    return state, tuple(notes)


def fit_state(state: State, expected: Mapping[str, torch.Tensor]) -> tuple[State, tuple[str, ...]]:
    """The state with the prefixes taken off that every name bears and the network's do not; and a note for each."""
    notes: list[str] = []
    while prefix := next((p for p in PREFIXES if _common(p, state) and not _common(p, expected)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        notes.append(f"prefix '{prefix}' taken off every name")
    return state, tuple(notes)


def load_weights(network: torch.nn.Module, state: State, *, where: str) -> tuple[str, ...]:
    """Copy a state into a network in place; returns notes. Names or sizes that differ raise one `InputError`."""
    expected = network.state_dict()
    state, notes = fit_state(state, expected)
    missing = [n for n in expected if n not in state and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in state if n not in expected]
    sizes = [f"{n} {list(state[n].shape)} for {list(t.shape)}" for n, t in expected.items() if n in state and state[n].shape != t.shape]
    if missing or unexpected or sizes:
        parts = ((missing, "missing"), (unexpected, "unexpected"), (sizes, "of another size"))
        listed = "; ".join(f"{len(names)} {word}: {_first(names)}" for names, word in parts if names)
        raise InputError(
            f"{where}: the weights do not fit the network ({listed}). "
            "Name the architecture, encoder and number of classes they were trained with"
        )
    network.load_state_dict(state, strict=False)
    return notes


def _read_safetensors(path: Path) -> State:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as safetensors ({error}). The file is cut short or no weights; fetch it again") from error


def _read_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch guesses aloud about pickles that it then refuses
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if wanted := _wanted_code(path):
            raise InputError(
                f"{path}: refused, because reading it would run code: it asks for {_first(wanted)}. Where you trust it, convert it once "
                "with `safetensors.torch.save_file(network.state_dict(), 'weights.safetensors')` and give that file"
            ) from error
        if isinstance(error, pickle.UnpicklingError):
            raise InputError(f"{path}: cannot be read as torch weights. The file is damaged or no weights; fetch it again") from error
        raise InputError(
            f"{path}: cannot be read as torch weights ({type(error).__name__}). The file is damaged; fetch it again"
        ) from error


def _wanted_code(path: Path) -> list[str]:
    """Names a pickle would import beyond tensors; empty where the file cannot be read that far. Nothing is unpickled."""
    try:
        if zipfile.is_zipfile(path):
            return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        with path.open("rb") as file:
            return sorted({name for name in _imported(file) if not _of_tensors(name)})
    except Exception:  # noqa: BLE001 - the file is bad already; this only words the message
        return []


def _imported(file: BinaryIO) -> set[str]:
    """Names that the pickles at the head of a file import, as their opcodes say; torch's form before zip has five, one behind another."""
    found: set[str] = set()
    with suppress(Exception):  # what is no pickle ends the walk, in whatever way
        for _ in range(5):
            texts: list[str] = []
            memo: dict[object, str] = {}
            for opcode, value, _ in pickletools.genops(file):
                if opcode.name in ("GLOBAL", "INST"):
                    name = str(value).replace(" ", ".")
                    if not all(part.isidentifier() for part in name.split(".")):
                        return found  # words that only begin as a pickle does, such as the head of a table
                    found.add(name)
                elif opcode.name == "STACK_GLOBAL":
                    found.add(".".join(texts[-2:]) or "a name that it computes")
                elif opcode.name.startswith("EXT"):
                    found.add(f"extension {value}")
                elif opcode.name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
                    memo[len(memo) if value is None else value] = texts[-1] if texts else ""
                elif opcode.name in ("GET", "BINGET", "LONG_BINGET"):
                    texts.append(memo.get(value, ""))
                elif isinstance(value, str):
                    texts.append(value)
    return found


def _of_tensors(name: str) -> bool:
    """True for what a file of nothing but tensors imports."""
    module, _, leaf = name.rpartition(".")
    return (
        name in _TENSOR_NAMES
        or (module == "torch._utils" and leaf.startswith("_rebuild_"))
        or (module in ("torch", "torch.storage") and (leaf.endswith("Storage") or isinstance(getattr(torch, leaf, None), torch.dtype)))
    )


def _common(prefix: str, names: Iterable[str]) -> bool:
    return all(name.startswith(prefix) for name in names)


def _first(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
