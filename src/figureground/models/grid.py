"""`grid:BACKBONE?rows=16&columns=16&head=pooled|conv`: two classes for every patch of a picture, on a backbone of timm.

The picture is parted evenly into rows x columns patches. The network gives one number a patch, the logit of P(background), and shows it as
two channels at the size of its input, each pixel taking its patch: so losses, predictions and evaluation see a segmentation network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from figureground.core.errors import InputError, MissingExtra
from figureground.data.grid_text import MOST_CELLS
from figureground.data.spec import parse_spec

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("torch", extra="train", needed_for="building a torch network") from error

KEYS = ("rows", "columns", "head")
DROPOUT, HIDDEN = 0.2, 512
"""Of the pooled head, as in arXiv 2606.32018."""
WIDTH, MAPS = 128, 3
"""Channels of the convolutional head, and how many feature maps it looks at; defined here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridLayout:
    """A network of patches that can be built."""

    text: str
    """The spec, for messages."""
    backbone: str
    rows: int
    columns: int
    head: Literal["pooled", "conv"]


def read_grid(text: str, where: str, settings: Mapping[str, str]) -> GridLayout:
    """What `grid:where?settings` names; nothing is built yet.

    Raises:
        InputError: an unknown or wrong setting.
    """
    if unknown := [key for key in settings if key not in KEYS]:
        raise InputError(f"`architecture` {text}: unknown setting `{unknown[0]}`. Known: {', '.join(KEYS)}")
    sides = [settings.get(key, "16") for key in ("rows", "columns")]
    if not all(side.isdecimal() and 1 <= int(side) <= MOST_CELLS for side in sides):
        raise InputError(f"`architecture` {text}: rows and columns are whole numbers from 1 to {MOST_CELLS}; got {sides[0]} and {sides[1]}")
    head = settings.get("head", "pooled")
    if head not in ("pooled", "conv"):
        raise InputError(f"`architecture` {text}: head must be pooled or conv; got '{head}'")
    kind = cast("Literal['pooled', 'conv']", head)
    return GridLayout(text=text, backbone=where, rows=int(sides[0]), columns=int(sides[1]), head=kind)


def cells_of(architecture: str) -> tuple[int, int] | None:
    """Rows and columns of the patches of an architecture; None for one without."""
    parsed = parse_spec(architecture)
    if parsed.kind != "grid":
        return None
    layout = read_grid(architecture, parsed.where, parsed.options)
    return layout.rows, layout.columns


def build_grid(layout: GridLayout, *, classes: int) -> GridNetwork:
    """The network with random weights.

    Raises:
        InputError: a number of classes other than two, or a backbone that timm does not have or that has no feature maps for the head.
        MissingExtra: timm is not installed.
    """
    if classes != 2:
        raise InputError(f"`architecture` {layout.text}: a patch is background or figure, so there are two classes; got {classes}")
    try:
        import timm
    except ImportError as error:
        raise MissingExtra("timm", extra="timm", needed_for="an architecture grid:") from error
    try:
        backbone = timm.create_model(layout.backbone, pretrained=False, num_classes=0)
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"`architecture` {layout.text}: timm cannot build it ({str(error).splitlines()[0]}). Give a name of timm.list_models()"
        ) from error
    return GridNetwork(backbone, layout)


class GridNetwork(nn.Module):
    """A backbone and a head that gives one logit a patch.

    `pooled`: dropout, Linear, GELU, Linear over the pooled features. `conv`: the last three feature maps behind a convolution 1 x 1,
    brought to the size of the grid bilinearly and added, then GELU and a convolution 3 x 3 to one channel.

    Args:
        backbone: network of timm without its classifier.
        layout: grid and head.

    Raises:
        InputError: a backbone that tells no feature maps for `conv`.
    """

    def __init__(self, backbone: Any, layout: GridLayout) -> None:
        super().__init__()
        self.backbone, self.layout = backbone, layout
        if layout.head == "pooled":
            features = getattr(backbone, "head_hidden_size", None) or backbone.num_features
            cells = layout.rows * layout.columns
            self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(features, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, cells))
        else:
            channels = _last_channels(backbone, layout)
            self.lateral = nn.ModuleList(nn.Conv2d(number, WIDTH, 1) for number in channels)
            self.head = nn.Sequential(nn.GELU(), nn.Dropout(DROPOUT), nn.Conv2d(WIDTH, 1, 3, padding=1))

    def cells(self, images: Tensor) -> Tensor:
        """Logits of P(background), float [batch, rows, columns], of float [batch, 3, height, width]."""
        size = (self.layout.rows, self.layout.columns)
        if self.layout.head == "pooled":
            return self.head(self.backbone(images)).reshape(-1, *size)
        maps = self.backbone.forward_intermediates(images, indices=len(self.lateral), intermediates_only=True)
        brought = [
            functional.interpolate(lateral(one), size=size, mode="bilinear", align_corners=False)
            for lateral, one in zip(self.lateral, maps, strict=True)
        ]
        return self.head(torch.stack(brought).sum(0))[:, 0]

    def forward(self, images: Tensor) -> Tensor:
        """Logits of background and figure, float [batch, 2, height, width]: each pixel takes its patch, the logit of figure is 0."""
        cells = self.cells(images)
        rows, columns = (
            torch.from_numpy(np.arange(size) * number // size).to(cells.device)
            for size, number in zip(images.shape[-2:], cells.shape[-2:], strict=True)
        )
        pixels = cells[:, rows[:, None], columns[None, :]]
        return torch.stack([pixels, torch.zeros_like(pixels)], dim=1)


def _last_channels(backbone: Any, layout: GridLayout) -> list[int]:
    """Channels of the last feature maps."""
    told = getattr(backbone, "feature_info", None)
    channels = [info["num_chs"] for info in told] if isinstance(told, list) else list(told.channels()) if told is not None else []
    if not channels or not hasattr(backbone, "forward_intermediates"):
        raise InputError(f"`architecture` {layout.text}: the backbone gives no feature maps to timm. Give head=pooled")
    return channels[-MAPS:]
