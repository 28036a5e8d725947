"""From a picture to the network's input, and from its logits back to the picture's own size.

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
    corners: tuple[tuple[int, int], ...]
    """Top and left of each window on the resized picture."""


def plan_input(native_hw: tuple[int, int], spec: PredictorSpec) -> InputPlan:
    """What becomes of a picture of a size under a spec."""
    if spec.window != "none" and spec.size_hw:
        size = _padded(spec.size_hw, spec.stride_px)
        corners = tuple(
            (top, left)
            for top in window_starts(native_hw[0], size[0], overlap=spec.overlap)
            for left in window_starts(native_hw[1], size[1], overlap=spec.overlap)
        )
        return InputPlan(native_hw=native_hw, scaled_hw=native_hw, input_hw=size, corners=corners)
    scaled = spec.size_hw or (_short_side(native_hw, spec.short_side_px) if spec.short_side_px else native_hw)
    return InputPlan(native_hw=native_hw, scaled_hw=scaled, input_hw=_padded(scaled, spec.stride_px), corners=((0, 0),))


def window_starts(length: int, window: int, *, overlap: float) -> tuple[int, ...]:
    """First pixels of windows that cover `length` pixels, neighbours sharing at least `overlap` of a window.

    The windows are spread evenly, the first begins at 0 and the last ends with the picture; one window where the picture fits into it.
    """
    if length <= window:
        return (0,)
    step = max(1, int(window * (1 - overlap)))
    gaps = -(-(length - window) // step)
    return tuple(round(i * (length - window) / gaps) for i in range(gaps + 1))


def network_inputs(picture: np.ndarray, plan: InputPlan, spec: PredictorSpec) -> np.ndarray:
    """Normalised inputs of a picture.

    Args:
        picture: uint8 [height, width, 3], R, G, B.
        plan: of a picture of this size.
        spec: of the network.

    Returns:
        float32 [windows, 3, input height, input width]; what lies outside the picture is 0, the mean colour.
    """
    planes = normalised(resized(picture, plan.scaled_hw, spec.resize), spec)
    (high, wide), (height, width) = plan.input_hw, plan.scaled_hw
    if plan.input_hw == plan.scaled_hw and len(plan.corners) == 1:
        return planes[None]
    inputs = np.zeros((len(plan.corners), 3, high, wide), np.float32)
    for window, (top, left) in zip(inputs, plan.corners, strict=True):
        part = planes[:, top : min(top + high, height), left : min(left + wide, width)]
        window[:, : part.shape[1], : part.shape[2]] = part
    return inputs


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


def native_logits(logits: np.ndarray, plan: InputPlan, spec: PredictorSpec) -> np.ndarray:
    """Logits at the size of the picture, before any argmax.

    Bilinear with pixel centres at half (align_corners=False), so that it is what `torch.nn.functional.interpolate` gives; padding is cut
    off. Windows are averaged where they overlap, with equal weights (`overlap`) or with weights that fall off towards the edges (`taper`).

    Args:
        logits: float32 [windows, classes, height', width'].
        plan: of the picture.
        spec: of the network.

    Returns:
        float32 [classes, height, width].
    """
    if len(plan.corners) == 1:
        cut = cut_padding(logits[0], plan)
        return resized_logits(cut, plan.native_hw)
    return _blended(logits, plan, taper=spec.window == "taper")


def cut_padding(logits: np.ndarray, plan: InputPlan) -> np.ndarray:
    """The part of [classes, height', width'] that stands for the resized picture and not for its padding.

    Logits that are coarser than the input are first brought to its size where the edge falls inside one of their pixels.
    """
    if plan.scaled_hw == plan.input_hw:
        return logits
    (height, width), (high, wide) = logits.shape[1:], plan.input_hw
    rows, columns = plan.scaled_hw[0] * height, plan.scaled_hw[1] * width
    if rows % high or columns % wide:
        logits, rows, columns = resized_logits(logits, plan.input_hw), plan.scaled_hw[0] * high, plan.scaled_hw[1] * wide
    return logits[:, : min(rows // high, logits.shape[1]), : min(columns // wide, logits.shape[2])]


def resized_logits(logits: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """float32 [classes, height, width] resized bilinear, plane by plane, without antialiasing."""
    if logits.shape[1:] == size_hw:
        return logits
    out = np.empty((len(logits), *size_hw), np.float32)
    for source, target in zip(logits, out, strict=True):
        cv2.resize(source, (size_hw[1], size_hw[0]), dst=target, interpolation=cv2.INTER_LINEAR)
    return out


def _blended(logits: np.ndarray, plan: InputPlan, *, taper: bool) -> np.ndarray:
    (height, width), (high, wide) = plan.native_hw, plan.input_hw
    total, weights = np.zeros((logits.shape[1], height, width), np.float32), np.zeros((height, width), np.float32)
    weight = np.outer(_ramp(high), _ramp(wide)).astype(np.float32) if taper else np.ones((high, wide), np.float32)
    for window, (top, left) in zip(logits, plan.corners, strict=True):
        rows, columns = min(high, height - top), min(wide, width - left)
        at = np.s_[top : top + rows, left : left + columns]
        total[(slice(None), *at)] += resized_logits(window, plan.input_hw)[:, :rows, :columns] * weight[:rows, :columns]
        weights[at] += weight[:rows, :columns]
    return np.divide(total, weights, out=total)


def _ramp(length: int) -> np.ndarray:
    """Weights 1 in the middle that fall linearly to just above 0 at both edges."""
    return 1 - np.abs(np.arange(length) + 0.5 - length / 2) / (length / 2)


def _padded(size_hw: tuple[int, int], stride: int) -> tuple[int, int]:
    return -(-size_hw[0] // stride) * stride, -(-size_hw[1] // stride) * stride


def _short_side(native_hw: tuple[int, int], short: int) -> tuple[int, int]:
    factor = short / min(native_hw)
    return max(1, round(native_hw[0] * factor)), max(1, round(native_hw[1] * factor))
