"""From a network's logits back to the size of the picture, a band of rows at a time, so that they are never held whole.

Bilinear with pixel centres at half and no antialiasing, so that it is what `torch.nn.functional.interpolate` with `align_corners=False`
gives. Padding is left out by reading no further than the picture reaches.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from figureground.models.inputs import InputPlan

Taps = tuple[np.ndarray, np.ndarray, np.ndarray]


def native_rows(logits: np.ndarray, plan: InputPlan, first: int, last: int) -> np.ndarray:
    """Rows `first` to `last` (exclusive) of the logits at the size of the picture.

    Args:
        logits: float32 [classes, height', width'] of a plan with one window.
        plan: of the picture.
        first: first row of the picture.
        last: one past the last row.

    Returns:
        float32 [classes, last - first, width]; a view of `logits` where nothing is resized.
    """
    if logits.shape[1:] == plan.input_hw and plan.scaled_hw == plan.native_hw:
        return logits[:, first:last, : plan.native_hw[1]]
    (above, below, down), (before, after, right) = (
        axis_taps(native, scaled, given, found)
        for native, scaled, given, found in zip(plan.native_hw, plan.scaled_hw, plan.input_hw, logits.shape[1:], strict=True)
    )
    out = np.empty((len(logits), last - first, plan.native_hw[1]), np.float32)
    rows = slice(first, last)
    _resample(np.ascontiguousarray(logits), above[rows], below[rows], down[rows], before, after, right, out)
    return out


def native_logits(logits: np.ndarray, plan: InputPlan) -> np.ndarray:
    """All rows at once: float32 [classes, height, width]."""
    return native_rows(logits, plan, 0, plan.native_hw[0])


def axis_taps(native: int, scaled: int, given: int, found: int) -> Taps:
    """For each pixel of the picture along one axis the two logits it lies between, and the weight of the second.

    Args:
        native: pixels of the picture.
        scaled: pixels after resizing.
        given: pixels of the input, padding included.
        found: logits the network gave for them.
    """
    place = np.maximum((np.arange(native) + 0.5) * (scaled * found / (native * given)) - 0.5, 0)
    reach = min(-(-scaled * found // given), found) - 1  # the last logit that the picture has a part in
    low = np.minimum(place.astype(np.int64), reach)
    weight = np.where(low < reach, place - low, 0)
    return low, np.minimum(low + 1, reach), weight.astype(np.float32)


class WindowBlend:
    """Adds up the logits of overlapping windows from the top down, and hands out the rows that no later window touches.

    Equal weights, or with `taper` weights that fall off linearly from the middle of a window to its edges.
    """

    def __init__(self, plan: InputPlan, *, classes: int, taper: bool) -> None:
        (high, wide), (height, width) = plan.input_hw, plan.native_hw
        self._plan = plan
        self._weight = np.outer(_ramp(high), _ramp(wide)).astype(np.float32) if taper else np.ones((high, wide), np.float32)
        self._total = np.zeros((classes, min(high, height), width), np.float32)
        self._weights = np.zeros((min(high, height), width), np.float32)

    def add(self, place: int, logits: np.ndarray) -> np.ndarray:
        """Adds the windows at the top of index `place`; tops must come in order.

        Args:
            place: index into `plan.tops`.
            logits: float32 [lefts, classes, height', width'].

        Returns:
            float32 [classes, rows, width]: the mean logits from this top to the next, or to the end of the picture.
        """
        plan = self._plan
        window = InputPlan(native_hw=plan.input_hw, scaled_hw=plan.input_hw, input_hw=plan.input_hw)
        rows, width = self._weights.shape
        for left, one in zip(plan.lefts, logits, strict=True):
            columns = min(plan.input_hw[1], width - left)
            weight, at = self._weight[:rows, :columns], np.s_[:, left : left + columns]
            self._total[(slice(None), *at)] += native_logits(one, window)[:, :rows, :columns] * weight
            self._weights[at] += weight
        end = plan.tops[place + 1] if place + 1 < len(plan.tops) else plan.native_hw[0]
        return self._take(end - plan.tops[place])

    def _take(self, rows: int) -> np.ndarray:
        """The finished rows; the others move up."""
        band = self._total[:, :rows] / self._weights[:rows]
        for sums in (self._total, self._weights[None]):
            sums[:, :-rows] = sums[:, rows:].copy()
            sums[:, -rows:] = 0
        return band


def _ramp(length: int) -> np.ndarray:
    """Weights 1 in the middle that fall linearly to just above 0 at both edges."""
    return 1 - np.abs(np.arange(length) + 0.5 - length / 2) / (length / 2)


@njit(cache=True, nogil=True)
def _resample(source, above, below, down, before, after, right, out):  # pragma: no cover - compiled
    """Fills `out` [classes, rows, columns]: first between two rows, then between two columns."""
    row = np.empty(source.shape[2], np.float32)
    for c in range(source.shape[0]):
        for y in range(above.size):
            upper, lower, weight = source[c, above[y]], source[c, below[y]], down[y]
            for x in range(row.size):
                row[x] = upper[x] + weight * (lower[x] - upper[x])
            for x in range(before.size):
                value = row[before[x]]
                out[c, y, x] = value + right[x] * (row[after[x]] - value)
