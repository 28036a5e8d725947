"""The kind `figures` of composition: drawn figures on drawn grounds, which needs no data."""

from __future__ import annotations

from dataclasses import dataclass

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.stages.shift.compose_options import ComposeOptions
from figureground.stages.shift.composition import Composition, Picture
from figureground.stages.shift.figures.animals import FIGURES
from figureground.stages.shift.figures.grounds import GROUNDS
from figureground.stages.shift.figures.picture import draw_picture
from figureground.stages.shift.figures.placing import Manner
from figureground.stages.shift.layout import SPLITS, Layout
from figureground.stages.shift.plan import declared_ties, home_places, ties


def compose_figures(options: ComposeOptions) -> Composition:
    """The composition that some options ask for; the picture of an index is a pure function of it and of them.

    Raises:
        InputError: fewer than two classes or contexts, more than there are, ties that are none of theirs, or a smallest area above the
            largest.
    """
    classes = _first(options.classes, tuple(FIGURES), name="classes", what="figures")
    contexts = _first(options.contexts, tuple(GROUNDS), name="contexts", what="grounds")
    if options.area_low > options.area_high:
        raise InputError(f"`area_low` must not be above `area_high`; got {options.area_low} and {options.area_high}")
    common = ties(classes, contexts, declared_ties(options.common))
    layout = Layout(
        classes=len(classes),
        contexts=len(contexts),
        homes=home_places(classes, contexts, common),
        rho=options.rho,
        train=options.train,
        val=options.val,
        test=options.test,
        seed=options.seed,
        val_rho=options.val_rho,
    )
    return Composition(
        name="figures",
        classes=ClassTable(names=("background", *classes)),
        common=common,
        count=len(layout),
        draw=FigureDrawer(classes=classes, contexts=contexts, layout=layout, options=options),
        notes=layout.notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureDrawer:
    """Draws the picture of an index.

    In a split that is not tied a figure stands on every ground in turn, at the same place in the same light, each time in another scene:
    groups of a class differ in their ground and in nothing else.
    """

    classes: tuple[str, ...]
    contexts: tuple[str, ...]
    layout: Layout
    options: ComposeOptions

    def __call__(self, index: int) -> Picture:
        """The picture of an index in [0, number of pictures)."""
        place, options = self.layout.place(index), self.options
        label, context = self.classes[place.row], self.contexts[place.column]
        manner = Manner(area_low=options.area_low, area_high=options.area_high, spread=options.spread, occlusion=options.occlusion)
        split = SPLITS.index(place.split)
        figure = place.number if self.layout.dial(place.split) else place.number // len(self.contexts)
        drawn = draw_picture(
            label,
            context,
            size=options.size,
            key=(options.seed, split, figure),
            ground_key=(options.seed, split, place.number),
            manner=manner,
            distractors=options.distractors,
            noise=options.noise,
        )
        return Picture(
            id=place.id,
            image=drawn.image,
            mask=drawn.figure.astype("uint8") * (place.row + 1),
            label=label,
            split=place.split,
            context=context,
            attributes={
                "figure": f"{place.split}_{figure:06d}",
                "area": f"{drawn.figure.mean():.4f}",
                "faces": "right" if drawn.placed.faces_right else "left",
                "occluder": drawn.placed.occluder,
                "distractors": str(drawn.distractors),
            },
        )


def _first(count: int, known: tuple[str, ...], *, name: str, what: str) -> tuple[str, ...]:
    if not 2 <= count <= len(known):
        raise InputError(f"`{name}` must be from 2 to {len(known)}, the {what} there are ({', '.join(known)}); got {count}")
    return known[:count]
