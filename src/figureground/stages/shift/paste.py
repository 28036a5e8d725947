"""The kind `paste`: figures cut out of one data set, set on scenes of another, with class and context tied as strongly as asked.

Training sample n keeps its figure, place, size and mirror for every rho; only its scene changes when it moves to another context. A
validation or test figure stands at the same place and size on a scene of every context, so that groups of a class differ in their ground
and in nothing else; where validation is tied, its samples are made as those of training are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from figureground.core.errors import InputError
from figureground.core.ties import Common, Tie, tied_contexts
from figureground.core.types import ClassTable
from figureground.data import paths
from figureground.data.spec import parse_spec
from figureground.stages.shift.composition import ComposeOptions, Composition
from figureground.stages.shift.ingredients import class_names, context_names, find_figures, find_scenes, hold_out, scenes_digest
from figureground.stages.shift.layout import SPLITS, Layout
from figureground.stages.shift.placing import PasteDraw
from figureground.stages.shift.plan import declared_ties, home_places, ties
from figureground.stages.shift.uses import check_uses, figure_uses, scene_uses


def compose_paste(options: ComposeOptions) -> Composition:
    """The composition of given figures on given scenes.

    Raises:
        InputError: options that are missing or do not fit the data, or too few figures or scenes for what is asked.
        FormatError: a mask that cannot be read.
    """
    common = _common(options)
    classes, contexts = tuple(common), _contexts(common, options.beside)
    ties(classes, contexts, common)
    figures = find_figures(options.figures, classes, trim_px=options.trim, feather_px=options.feather, smallest_px=options.smallest)
    scenes, twins = find_scenes(options.scenes, contexts)
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
    draw = PasteDraw(
        layout=layout,
        classes=classes,
        contexts=contexts,
        figures=_shared_out(
            {name: [s.id for s in some] for name, some in figures.by_class.items()}, figures.by_class, "figures of", options
        ),
        scenes=_shared_out({name: [s.name for s in some] for name, some in scenes.items()}, scenes, "scenes of", options),
        reader=figures.reader,
        size=options.size,
        area=(options.area_low, options.area_high),
        spread=options.spread,
    )
    check_uses(draw, options.uses)
    left_out = {reason: list(ids) for reason, ids in {**figures.left_out, "scenes": twins}.items() if ids}
    return Composition(
        name=f"{figures.name} on {paths.leaf(parse_spec(options.scenes).where)}",
        classes=ClassTable(names=("background", *classes)),
        common=common,
        beside=options.beside,
        count=len(layout),
        draw=draw,
        inputs={"figures": figures.digest, "scenes": scenes_digest(scenes)},
        sources=(*figures.sources, *(scene.image for some in scenes.values() for scene in some)),
        details={"figures": figure_uses(draw), "scenes": scene_uses(draw), "left_out": left_out},
        notes=(*_notes(left_out, options), *layout.notes),
    )


def _notes(left_out: Mapping[str, Sequence[str]], options: ComposeOptions) -> Iterator[str]:
    words = {
        "empty": "cut-outs left out, for they are empty",
        "small": f"cut-outs left out, for they have fewer than {options.smallest} px",
        "twice": "cut-outs left out, for they are there under another id",
        "scenes": "scenes left out, for they are there under another name",
    }
    for reason, ids in left_out.items():
        yield f"{len(ids)} {words[reason]}: {', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''}"


def _common(options: ComposeOptions) -> dict[str, Tie]:
    for name in ("figures", "scenes"):
        if not getattr(options, name):
            raise InputError(f"the kind `paste` needs `{name}`. Give --{name}")
    if not options.common:
        raise InputError("the kind `paste` needs `common`: CLASS=CONTEXT for each class, such as --common flamingo=sea --common emu=forest")
    if options.area_low > options.area_high:
        raise InputError(f"`area_low` must not be above `area_high`; got {options.area_low} and {options.area_high}")
    if not any("," in text for text in options.common):
        return declared_ties(options.common)
    return declared_ties(options.common, classes=class_names(options.figures), contexts=context_names(options.scenes))


def _contexts(common: Common, beside: Sequence[str]) -> tuple[str, ...]:
    """The contexts that classes are tied to, then the others that are used."""
    tied = tied_contexts(common)
    if both := [name for name in beside if name in tied]:
        raise InputError(f"`beside` names '{both[0]}', to which `common` ties a class. Leave it out of one of them")
    if twice := [name for name in set(beside) if beside.count(name) > 1]:
        raise InputError(f"`beside` names '{twice[0]}' twice. Say it once")
    return (*tied, *beside)


def _shared_out(
    names: Mapping[str, Sequence[str]], things: Mapping[str, Sequence[Any]], what: str, options: ComposeOptions
) -> dict[str, tuple[tuple[Any, ...], ...]]:
    """Split -> for each class or context in order, the things it may use."""
    parts = {"test": options.held_test if options.test else None, "val": options.held_val if options.val else None, "train": 1.0}
    asked = {split: part for split, part in parts.items() if part is not None}
    shares = {name: hold_out(ids, seed=options.seed, what=f"{what} '{name}'", parts=asked) for name, ids in names.items()}
    return {split: tuple(tuple(things[name][i] for i in shares[name].get(split, ())) for name in names) for split in SPLITS}
