"""The pictures of a loop: samples before and after, within the size that the page may have."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from figureground.report.loop_values import Example, LoopArtifact

CARD_TEXT = 2_000
"""Characters that a card may take besides its picture."""
MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
LARGEST = 4_000_000
"""Bytes of a file that could still fit into the page."""
HALVES = (("Picture", "Mask"), ("Before", "After"))
"""What stands side by side in each picture; its halves stand below one another where the page is narrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplePicture:
    """A picture as it stands in the page."""

    source: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleCard:
    """A sample before and after; without `picture` the artifact has none that can be shown."""

    index: int
    example: Example
    picture: ExamplePicture | None

    @property
    def change(self) -> float | None:
        """The mIoU after minus that before."""
        before, after = self.example.before, self.example.after
        return None if before is None or after is None else after - before


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleSheet:
    """The examples that fit, in the order of the artifact."""

    cards: tuple[ExampleCard, ...]
    left_out: int
    """Examples that the page has no room for."""

    @property
    def absent(self) -> int:
        """Examples without a picture."""
        return sum(card.picture is None for card in self.cards)

    @property
    def hero(self) -> ExampleCard | None:
        """The picture with the largest gain."""
        gains = [(card.change, -place, card) for place, card in enumerate(self.cards) if card.picture and (card.change or 0.0) > 0]
        return max(gains, key=lambda gain: gain[:2])[2] if gains else None


def example_sheet(loop: LoopArtifact, *, budget: int) -> ExampleSheet:
    """As many examples as `budget` characters allow."""
    cards: list[ExampleCard] = []
    spent = 0
    for example in loop.examples:
        picture = _picture(loop.directory, example.file)
        spent += CARD_TEXT + (len(picture.source) if picture else 0)
        if spent > budget:
            break
        cards.append(ExampleCard(index=len(cards) + 1, example=example, picture=picture))
    return ExampleSheet(cards=tuple(cards), left_out=len(loop.examples) - len(cards))


def _picture(directory: Path, name: str) -> ExamplePicture | None:
    """A picture file of the artifact; None where it is absent, lies elsewhere, or is no picture."""
    try:
        path = (directory / name).resolve()
        if not (name and path.is_relative_to(directory.resolve()) and path.is_file() and path.stat().st_size <= LARGEST):
            return None
        content = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # what asks so much of a browser is not shown
            with Image.open(io.BytesIO(content)) as found:
                (width, height), mime = found.size, MIMES.get(found.format or "")
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    if mime is None:
        return None
    return ExamplePicture(source=f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}", width=width, height=height)
