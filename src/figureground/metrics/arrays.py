"""Arrays from whatever a training loop holds, without importing its library."""

from __future__ import annotations

from typing import Any

import numpy as np


def host_array(values: Any) -> np.ndarray:
    """The values as a numpy array: a tensor is detached, brought to the host, and widened where numpy lacks its number type.

    Args:
        values: anything `np.asarray` takes, or a tensor with `detach` and `cpu`, on any device, with or without a gradient.

    Returns:
        The array, of the tensor's own type where numpy has it, else float32 (bfloat16 is exact in it). Shares memory where it can.
    """
    if not hasattr(values, "detach"):
        return np.asarray(values)
    tensor = values.detach().cpu()
    try:
        return np.asarray(tensor)
    except TypeError:  # bfloat16 and the types of 8 bits
        return np.asarray(tensor.float())
