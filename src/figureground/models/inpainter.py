"""Inpainting networks, as `onnx:FILE` and `torchscript:FILE`: what they are given, and what must come out.

A network takes pictures in [-1, 1], with +1 in the hole, and masks that are 1 in the hole: as two inputs [n, 3, h, w] and [n, 1, h, w],
or as one of four channels. It gives [n, 3, h, w] in [-1, 1]. This is the form of the networks of AOT-GAN (arXiv 2104.01431). Pictures of
one size go through together, unless the network was exported for one at a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from figureground.core.errors import InputError, MissingExtra

_BATCH = 8
"""Pictures that go through a network together, where it takes more than one."""
_STRIDE_PX = 8
"""Pictures are padded to a multiple of it by reflection where the network has no fixed size."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inpainter:
    """A network with what it takes."""

    what: str
    run: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Of float32 [n, 3, h, w] in [-1, 1] and float32 [n, 1, h, w] of 0 and 1: float32 [n, 3, h, w] in [-1, 1]."""
    size_hw: tuple[int, int] | None
    """What every picture is resized to, the result being resized back; None = each picture's own size."""
    batch: int = _BATCH
    """Pictures that it takes at a time, at most."""

    def __call__(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """The picture with its hole filled; every pixel outside it is as it was.

        Args:
            picture: uint8 [height, width, 3].
            hole: bool [height, width].

        Raises:
            InputError: the network does not take such an input, or gives something of another shape, or numbers that are not finite.
        """
        return self.many([picture], [hole])[0]

    def many(self, pictures: Sequence[np.ndarray], holes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As one picture with its hole, of several; those of one size go through the network together."""
        given = [self._given(picture, hole) for picture, hole in zip(pictures, holes, strict=True)]
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for place, (planes, _) in enumerate(given):
            by_shape.setdefault(planes.shape, []).append(place)
        out = [picture.copy() for picture in pictures]
        for places in by_shape.values():
            for start in range(0, len(places), self.batch):
                chosen = places[start : start + self.batch]
                made = self._checked(*(np.stack([given[place][part] for place in chosen]) for part in (0, 1)))
                for place, one in zip(chosen, made, strict=True):
                    out[place][holes[place]] = self._rgb(one, holes[place].shape)[holes[place]]
        return out

    def _given(self, picture: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The picture [3, h, w] and its mask [1, h, w] as the network takes them."""
        image, gap = picture, hole.astype(np.uint8)
        if self.size_hw is not None:
            image = cv2.resize(image, self.size_hw[::-1], interpolation=cv2.INTER_AREA)
            gap = cv2.resize(gap, self.size_hw[::-1], interpolation=cv2.INTER_NEAREST)
        else:
            down, right = (-side % _STRIDE_PX for side in hole.shape)
            image, gap = (cv2.copyMakeBorder(one, 0, down, 0, right, cv2.BORDER_REFLECT) for one in (image, gap))
        planes = image.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
        planes[:, gap > 0] = 1.0
        return planes, gap[None].astype(np.float32)

    def _rgb(self, made: np.ndarray, size_hw: tuple[int, ...]) -> np.ndarray:
        """What the network gave, at the size of the picture."""
        height, width = size_hw
        rgb = np.rint((made.transpose(1, 2, 0) + 1) * 127.5).clip(0, 255).astype(np.uint8)
        return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR) if self.size_hw is not None else rgb[:height, :width]

    def _checked(self, planes: np.ndarray, gap: np.ndarray) -> np.ndarray:
        try:
            made = self.run(planes, gap)
        except (RuntimeError, ValueError, TypeError) as error:
            raise InputError(
                f"{self.what}: does not take a picture {list(planes.shape)} with its mask {list(gap.shape)} "
                f"({str(error).strip().splitlines()[0][:120]}). Export it with these as two inputs, or as one of four channels; "
                "?size=N gives it pictures of one size"
            ) from error
        if made.shape != planes.shape or not np.isfinite(made).all():
            found = f"{list(made.shape)}" if made.shape != planes.shape else "numbers that are not finite"
            raise InputError(f"{self.what}: must give {list(planes.shape)} in [-1, 1]; got {found}. Use an inpainting network")
        return made


def open_inpainter(kind: str, where: str, settings: Mapping[str, str], *, device: str = "cpu") -> Inpainter:
    """The network of a file, tried on a small picture, and on two at a time.

    Args:
        kind: `onnx` or `torchscript`.
        where: the file.
        settings: `size`, the side of the square that pictures are resized to; default what the model fixes, else each picture's own size.
        device: of a torchscript network.

    Raises:
        InputError: no such file, no valid model, or one that is no inpainting network.
        MissingExtra: onnxruntime or torch is not installed.
    """
    what = f"{kind}:{where}"
    if not Path(where).is_file():
        raise InputError(f"{what}: there is no such file. Give {kind}:FILE")
    if not (text := settings.get("size", "0")).isdecimal():
        raise InputError(f"{what}: `size` must be a whole number of pixels; got '{text}'")
    run, fixed = _onnx(where, what) if kind == "onnx" else _torchscript(where, what, device)
    side = int(text)
    if fixed and side and (side, side) != fixed:
        raise InputError(f"{what}: takes pictures of {fixed[0]} x {fixed[1]} only; got ?size={side}. Leave it out")
    found = Inpainter(what=what, run=run, size_hw=fixed or ((side, side) if side else None))
    hole = np.zeros((64, 64), bool)
    hole[20:40, 20:40] = True
    picture = np.full((64, 64, 3), 100, np.uint8)
    found(picture, hole)
    try:
        found.many([picture, picture], [hole, hole])
    except InputError:
        return replace(found, batch=1)
    return found


def _onnx(where: str, what: str) -> tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], tuple[int, int] | None]:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("onnxruntime", extra="onnx", needed_for="the infill 'onnx:'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the same bytes whatever the machine, and workers do not stand in one another's way
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(where, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"{what}: is no model that onnxruntime can open ({str(error).splitlines()[0][:120]}). Export it again") from error
    inputs = session.get_inputs()
    channels = [one.shape[1] if len(one.shape) == 4 else None for one in inputs]
    if channels not in ([4], [3, 1], [1, 3]):
        shapes = "; ".join(f"{one.name} {one.shape}" for one in inputs)
        raise InputError(f"{what}: must take a picture and a mask, or one input of four channels; it takes {shapes}. Export it so")
    sides = [side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape[2:]]

    def run(planes: np.ndarray, gap: np.ndarray) -> np.ndarray:
        parts = {3: planes, 1: gap, 4: np.concatenate([planes, gap], axis=1)}
        given = {one.name: parts[int(one.shape[1])] for one in inputs}
        try:
            return np.asarray(session.run(None, given)[0], np.float32)
        except Exception as error:
            raise ValueError(str(error)) from error

    return run, (sides[0], sides[1]) if sides[0] and sides[1] else None


def _torchscript(where: str, what: str, device: str) -> tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], None]:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", extra="torch", needed_for="the infill 'torchscript:'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch calls the format deprecated, which is no news to who has such a file
            network: Any = torch.jit.load(where, map_location=device).eval()
        together = len(network.forward.schema.arguments) == 2  # itself, and one input
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"{what}: is no TorchScript module ({str(error).strip().splitlines()[0][:120]}). Save it with torch.jit"
        ) from error

    def run(planes: np.ndarray, gap: np.ndarray) -> np.ndarray:
        given = [torch.from_numpy(one).to(device) for one in (planes, gap)]
        with torch.inference_mode():
            made = network(torch.cat(given, dim=1)) if together else network(*given)
        if not isinstance(made, torch.Tensor):
            raise TypeError(f"it gives {type(made).__name__}")
        return made.float().cpu().numpy()

    return run, None
