"""The figures whose answer changes with the ground, as pictures, within the size that the page may have."""

from __future__ import annotations

from dataclasses import dataclass

from figureground.report.answers_reading import AnswersArtifact, Flipped, Shown
from figureground.report.pictures import data_url

CARD_TEXT = 3_000
"""Characters that a card may take besides its pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureView:
    """A picture with the answer to it; without `source` it is not at hand."""

    shown: Shown
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureCard:
    """A figure on its grounds."""

    figure: Flipped
    views: tuple[FigureView, ...]

    @property
    def label(self) -> str:
        """The class of the figure."""
        return self.views[0].shown.label if self.views else ""

    @property
    def more(self) -> int:
        """Pictures of it that are not shown."""
        return max(0, (self.figure.pictures or 0) - len(self.views))

    @property
    def pair(self) -> tuple[FigureView, ...]:
        """A picture answered rightly and one with another answer, or two with different answers; empty where there are none such."""
        seen = [view for view in self.views if view.source]
        first = next((view for view in seen if view.shown.right), seen[0] if seen else None)
        other = [view for view in seen if first and view.shown.answer != first.shown.answer]
        return (first, max(other, key=lambda view: view.shown.probability or 0.0)) if first and other else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSheet:
    """The figures that fit, in the order of the artifact."""

    cards: tuple[FigureCard, ...]
    left_out: int
    """Figures that the page has no room for."""

    @property
    def absent(self) -> int:
        """Pictures that are not at hand."""
        return sum(view.source is None for card in self.cards for view in card.views)

    @property
    def hero(self) -> FigureCard | None:
        """The first figure with two pictures that have different answers."""
        return next((card for card in self.cards if card.pair), None)


def figure_sheet(artifact: AnswersArtifact, *, budget: int) -> FigureSheet:
    """As many figures as `budget` characters allow, one of them shown twice."""
    cards: list[FigureCard] = []
    spent = twice = 0
    for figure in artifact.flipped:
        views = tuple(FigureView(shown=shown, source=data_url(shown.content)) for shown in figure.shown)
        size = sum(len(view.source or "") for view in views)
        spent, twice = spent + size + CARD_TEXT, max(twice, size)
        if spent + twice > budget:
            break
        cards.append(FigureCard(figure=figure, views=views))
    return FigureSheet(cards=tuple(cards), left_out=len(artifact.flipped) - len(cards))
