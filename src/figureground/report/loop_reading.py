"""A loop artifact as values: the door through which `loop.json` comes in.

Absent keys and null are the same thing: the number is undefined, the list empty. What is no object where one is expected is left out, so
that the sections of the report deal with values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figureground.core.errors import ArtifactError
from figureground.report.loop_values import (
    Example,
    Gain,
    LoopArtifact,
    Model,
    Ranked,
    Round,
    SetResult,
    Stability,
    Standing,
    VerdictRow,
)
from figureground.report.reading import Measure, as_list, as_mapping, as_rows, as_text, as_whole, measure, number, read_json
from figureground.report.words import VERDICTS
from figureground.runs.artifact import read_manifest

KIND, SCHEMA = "loop", 1
FILE = "loop.json"
SECONDS = ("ratings", "masks", "checks")
COUNTS = ("queued", "rated", "ratings", "vetoed", "masks", "tested", "learned")


def read_loop(directory: Path) -> LoopArtifact:
    """The loop artifact in a directory.

    Raises:
        ArtifactError: no manifest, another kind or schema version, or files that cannot be read.
    """
    manifest = read_manifest(directory, kind=KIND)
    if manifest.schema != SCHEMA:
        raise ArtifactError(
            f"{directory}: expected schema {SCHEMA} of kind '{KIND}', found {manifest.schema}. Run `figureground loop` again"
        )
    loop = read_json(directory, FILE, dict, kind=KIND)
    labels = as_mapping(loop.get("labels"))
    return LoopArtifact(
        directory=directory,
        manifest=manifest,
        failures=tuple(as_rows(read_json(directory, "failures.json", list, kind=KIND))) if manifest.failures else (),
        **{key: as_text(loop.get(key)) for key in ("name", "sentence", "state", "why")},
        classes=tuple(as_text(name) for name in as_list(loop.get("classes"))),
        rounds=tuple(_round(place, row) for place, row in enumerate(as_rows(loop.get("rounds")), 1)),
        models=tuple(_model(row) for row in as_rows(loop.get("models"))),
        validation=_validation(loop),
        forgetting=_forgetting(loop),
        gains=tuple(_gain(row) for row in as_rows(loop.get("gains"))),
        verdicts=tuple(_verdict_row(row) for row in as_rows(loop.get("verdicts"))),
        examples=tuple(_example(row) for row in as_rows(loop.get("examples"))),
        counts={key: as_whole(labels.get(key)) for key in COUNTS},
        seconds=number(labels.get("seconds")),
        by_oracle=labels.get("oracle") is True,
    )


def _round(place: int, row: Mapping[str, Any]) -> Round:
    validation, seconds, stability = (as_mapping(row.get(key)) for key in ("validation", "seconds", "stability"))
    told = as_whole(row.get("round"))
    return Round(
        number=place if told is None else told,
        is_retest=row.get("retest") is True,
        repaired=row.get("repaired") is True,
        selector=as_text(row.get("selector")),
        lr=number(row.get("lr")),
        limit=number(row.get("limit")),
        counts={key: as_whole(row.get(key)) for key in COUNTS},
        seconds={key: number(seconds.get(key)) for key in SECONDS},
        validation_before=measure(validation.get("before")),
        validation_after=measure(validation.get("after")),
        validation_change=measure(validation.get("change")),
        before=_standing(row.get("ranking"), stability.get("before")),
        after=_standing(row.get("after"), stability.get("after")),
        test_change=measure(row.get("test_change")),
    )


def _standing(ranking: object, stability: object) -> Standing:
    found = as_mapping(stability)
    curve = Stability(
        level=number(found.get("level")),
        stable_from=as_whole(found.get("stable_from")),
        spearman=tuple(number(value) for value in as_list(found.get("spearman"))),
    )
    return Standing(ranking=tuple(_ranked(row) for row in as_rows(ranking)), stability=curve if found else None)


def _ranked(row: Mapping[str, Any]) -> Ranked:
    return Ranked(
        model=as_text(row.get("model")),
        is_target=row.get("role") == "target",
        place=as_whole(row.get("place")),
        **{key: measure(row.get(key)) for key in ("miou", "perron", "thurstone")},
    )


def _model(row: Mapping[str, Any]) -> Model:
    results = [_set_result(one) for one in as_rows(row.get("sets"))]
    return Model(name=as_text(row.get("model")), is_target=row.get("role") == "target", sets={one.name: one for one in results})


def _set_result(row: Mapping[str, Any]) -> SetResult:
    return SetResult(
        name=as_text(row.get("set")),
        miou=measure(row.get("miou")),
        **{key: as_whole(row.get(key)) for key in ("samples", "place", "version")},
    )


def _validation(loop: Mapping[str, Any]) -> dict[int, Measure]:
    pairs = [(as_whole(row.get("version")), measure(row.get("miou"))) for row in as_rows(loop.get("validation"))]
    return dict(sorted(((version, miou) for version, miou in pairs if version is not None and miou.known), key=lambda pair: pair[0]))


def _forgetting(loop: Mapping[str, Any]) -> dict[int, Measure]:
    pairs = ((as_whole(row.get("version")), measure(row.get("change"))) for row in as_rows(loop.get("validation")))
    return {version: change for version, change in pairs if version is not None and change.known}


def _gain(row: Mapping[str, Any]) -> Gain:
    ends = {key: measure(row.get(key)) for key in ("before", "after", "change")}
    return Gain(name=as_text(row.get("class")), set=as_text(row.get("set")), **ends)


def _verdict_row(row: Mapping[str, Any]) -> VerdictRow:
    return VerdictRow(
        set=as_text(row.get("set")),
        group=as_text(row.get("group")),
        version=as_whole(row.get("version")) or 0,
        samples=as_whole(row.get("samples")),
        rates={word: measure(row.get(word)) for word in VERDICTS},
        flipped_change=measure(as_mapping(row.get("change")).get("flipped")),
    )


def _example(row: Mapping[str, Any]) -> Example:
    return Example(
        id=as_text(row.get("id")),
        round=as_whole(row.get("round")),
        class_name=as_text(row.get("class")),
        file=as_text(row.get("file")),
        before=number(row.get("before")),
        after=number(row.get("after")),
    )
