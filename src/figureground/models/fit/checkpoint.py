"""What a stopped training goes on from: one file that is either whole or absent, and the best weights beside it.

The state names the file of the best weights it belongs to. That file is written first and older ones are removed last, so that whenever the
process ends, state and best weights fit together.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from figureground.core.errors import InputError
from figureground.core.whole_file import whole_file

STATE = "state.pt"
LAST_GOOD = "last-good.safetensors"
Tensors = Mapping[str, torch.Tensor]


class Checkpoints:
    """The states of one training in a directory.

    Args:
        folder: made where it is absent.

    Raises:
        InputError: the directory cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(folder, error) from error

    def save(self, state: Mapping[str, Any], *, best: Tensors | None, best_epoch: int) -> None:
        """Writes a state, and the best weights where they are not there yet.

        Args:
            state: plain values and tensors.
            best: the weights of the best epoch so far; None before there are any.
            best_epoch: which one that is.

        Raises:
            InputError: the disk is full or may not be written; the state that was there before still is.
        """
        name = f"best-{best_epoch:06d}.safetensors" if best is not None else ""
        if best is not None and not (self.folder / name).exists():
            write_tensors(self.folder / name, best)
        write_whole(self.folder / STATE, lambda path: torch.save({**state, "best_file": name}, path))
        for old in self.folder.glob("best-*.safetensors"):
            if old.name != name:
                old.unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, Any], dict[str, torch.Tensor] | None] | None:
        """The last state and its best weights, all on the processor; None where nothing was saved.

        Raises:
            InputError: the files are damaged.
        """
        path = self.folder / STATE
        if not path.exists():
            return None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            best = load_file(self.folder / state["best_file"]) if state["best_file"] else None
        except Exception as error:
            raise InputError(
                f"{path}: the state of the training cannot be read ({type(error).__name__}). Remove {self.folder} to train from the start"
            ) from error
        return state, best


def keep_last_good(path: Path, weights: Tensors) -> Path:
    """Writes the weights from before a step that went wrong, and returns the file.

    A file that is there with other content stays: the next one is called `NAME-2.safetensors`, and so on.
    """
    content = {name: tensor.detach().to("cpu") for name, tensor in weights.items()}
    for number in itertools.count(1):
        place = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        if not place.exists():
            return write_tensors(place, content)
        if _holds(place, content):
            return place
    raise AssertionError("numbers do not end")


def _holds(path: Path, weights: Tensors) -> bool:
    try:
        found = load_file(path)
    except (OSError, SafetensorError):  # whatever it is, it is not ours
        return False
    return found.keys() == weights.keys() and all(torch.equal(found[name], tensor) for name, tensor in weights.items())


def write_tensors(path: Path, tensors: Tensors) -> Path:
    """Writes tensors as safetensors so that the file is either whole or absent; a disk that refuses raises `InputError`."""
    # tensors that share memory are written twice: a file must not depend on how a network is wired
    content = {name: tensor.detach().to("cpu").clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    return write_whole(path, lambda temporary: save_file(content, temporary))


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Writes a file under a temporary name, brings it to the disk, and renames it; a disk that refuses raises `InputError`."""
    try:
        with whole_file(path) as temporary:
            temporary.touch()
            mode = temporary.stat().st_mode
            write(temporary)
            temporary.chmod(mode)  # safetensors makes files that their owner alone may read
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
    except Exception as error:
        raise _cannot_write(path, error) from error
    return path


def _cannot_write(path: Path, error: Exception) -> InputError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error).splitlines()[0] or type(error).__name__
    return InputError(
        f"{path}: cannot be written ({reason}). Make room or choose another --out; what was saved before is still there, and the same "
        "command goes on from it"
    )
