"""From a picture to the network's input: resizing, normalising, padding and sliding windows.

A plan says what becomes of one picture: the size it is resized to, and where windows of the input's size lie on it. Without a sliding
window there is one, at the upper left corner, and it holds the whole resized picture and its padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from figureground.models.predictor import PredictorSpec

_PILLOW_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """What becomes of one picture on its way through a network."""

    native_hw: tuple[int, int]
    """Size of the picture, and of its label map."""
    scaled_hw: tuple[int, int]
    """Size after resizing."""
    input_hw: tuple[int, int]
    """Size of each network input."""
    tops: tuple[int, ...] = (0,)
    """First rows of windows on the resized picture; there is a window at each top and each left."""
    lefts: tuple[int, ...] = (0,)
    """First columns of windows."""

    @property
    def windows(self) -> int:
        """Number of network inputs of the picture."""
        return len(self.tops) * len(self.lefts)


def plan_input(native_hw: tuple[int, int], spec: PredictorSpec) -> InputPlan:
    """What becomes of a picture of a size under a spec."""
    if spec.window != "none" and spec.size_hw:
        size = _padded(spec.size_hw, spec.stride_px)
        tops, lefts = (window_starts(length, window, overlap=spec.overlap) for length, window in zip(native_hw, size, strict=True))
        return InputPlan(native_hw=native_hw, scaled_hw=native_hw, input_hw=size, tops=tops, lefts=lefts)
    scaled = spec.size_hw or (_short_side(native_hw, spec.short_side_px) if spec.short_side_px else native_hw)
    return InputPlan(native_hw=native_hw, scaled_hw=scaled, input_hw=_padded(scaled, spec.stride_px))


def window_starts(length: int, window: int, *, overlap: float) -> tuple[int, ...]:
    """First pixels of windows that cover `length` pixels, neighbours sharing at least `overlap` of a window.

    The windows are spread evenly, the first begins at 0 and the last ends with the picture; one window where the picture fits into it.

    >>> window_starts(10, 4, overlap=0.5)
    (0, 2, 4, 6)
    """
    if length <= window:
        return (0,)
    step = max(1, int(window * (1 - overlap)))
    gaps = -(-(length - window) // step)
    return tuple(round(i * (length - window) / gaps) for i in range(gaps + 1))


def network_planes(picture: np.ndarray, plan: InputPlan, spec: PredictorSpec) -> np.ndarray:
    """The resized and normalised picture, from which `window_inputs` cuts.

    Args:
        picture: uint8 [height, width, 3], R, G, B.
        plan: of a picture of this size.
        spec: of the network.

    Returns:
        float32 [3, height, width], at least of the input's size; what lies outside the picture is 0, the mean colour.
    """
    planes = normalised(resized(picture, plan.scaled_hw, spec.resize), spec)
    size = tuple(max(sides) for sides in zip(plan.scaled_hw, plan.input_hw, strict=True))
    if size == plan.scaled_hw:
        return planes
    padded = np.zeros((3, *size), np.float32)
    padded[:, : plan.scaled_hw[0], : plan.scaled_hw[1]] = planes
    return padded


def window_inputs(planes: np.ndarray, plan: InputPlan, top: int) -> np.ndarray:
    """Network inputs of the windows at one top: float32 [lefts, 3, input height, input width]; a view where there is but one."""
    (high, wide), rows = plan.input_hw, planes[:, top : top + plan.input_hw[0]]
    windows = [rows[:, :, left : left + wide] for left in plan.lefts]
    return windows[0][None] if len(windows) == 1 and planes.shape[1:] == (high, wide) else np.stack(windows)


def resized(picture: np.ndarray, size_hw: tuple[int, int], how: str) -> np.ndarray:
    """The picture at another size.

    `bilinear` and `bicubic` widen their filter when shrinking (antialiasing), as Pillow, torchvision and transformers do;
    `bilinear-plain` looks at the four nearest pixels only, as OpenCV does.
    """
    if picture.shape[:2] == size_hw:
        return picture
    height, width = size_hw
    if how == "bilinear-plain":
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(Image.fromarray(picture).resize((width, height), _PILLOW_FILTERS[how]))


def normalised(picture: np.ndarray, spec: PredictorSpec) -> np.ndarray:
    """float32 [3, height, width]: (picture / 255 * scale - mean) / std by channel, in the spec's order of channels."""
    planes = np.empty((3, *picture.shape[:2]), np.float32)
    for channel, (values, mean, std) in enumerate(zip(cv2.split(picture), spec.mean, spec.std, strict=True)):
        table = ((np.arange(256) / 255.0 * spec.scale - mean) / std).astype(np.float32)
        cv2.LUT(values, table, dst=planes[channel if spec.order == "rgb" else 2 - channel])
    return planes


def _padded(size_hw: tuple[int, int], stride: int) -> tuple[int, int]:
    return -(-size_hw[0] // stride) * stride, -(-size_hw[1] // stride) * stride


def _short_side(native_hw: tuple[int, int], short: int) -> tuple[int, int]:
    factor = short / min(native_hw)
    return max(1, round(native_hw[0] * factor)), max(1, round(native_hw[1] * factor))
