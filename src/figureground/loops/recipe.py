"""LOOP.toml: the data, the models, and the options of every step."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figureground.core.errors import FormatError, InputError
from figureground.core.options import make_options
from figureground.data import paths
from figureground.data.spec import parse_spec
from figureground.loops.options import LoopOptions, OracleOptions, PeopleOptions
from figureground.review.roles import name_and_role
from figureground.stages.mine.options import MineOptions
from figureground.stages.predict.options import PredictOptions
from figureground.stages.rank.options import RankOptions
from figureground.stages.repair.options import RepairOptions, learning_rates

TARGET = "target"
"""Name of the model under test in queues and rankings."""
DATA = ("pool", "train", "val", "audit")
_NEEDED = ("pool", "train", "target")
_TABLES = ("loop", "rivals", "predict", "mine", "review", "repair", "rank", "oracle")
_SET_BY_LOOP: Mapping[str, tuple[str, ...]] = {
    "mine": ("selector", "top", "train", "budget", "seed"),
    "predict": ("split", "reuse"),
    "repair": ("which", "seed"),
    "rank": ("labels", "train", "known", "test", "size", "per_object", "masks", "unknown", "seed"),
}
"""Options of stages that the loop sets itself."""
_RIVAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a loop is made of."""

    name: str
    file: Path
    pool: str
    """DATA spec of the unlabelled samples."""
    train: str
    """DATA spec that the target was trained on."""
    val: str
    """DATA spec that it was validated on."""
    audit: str
    """DATA spec with masks, classes and contexts on which flips are counted before and after; empty = none."""
    target: str
    """Trained weights: `weights:DIR`."""
    rivals: Mapping[str, str]
    """Name -> MODEL spec, or a spec of predictions of the pool."""
    loop: LoopOptions
    predict: PredictOptions
    mine: Mapping[str, Any]
    """Given options of mining; the loop sets the others."""
    people: PeopleOptions
    repair: Mapping[str, Any]
    rank: Mapping[str, Any]
    oracle: OracleOptions

    def mine_options(self, **own: Any) -> MineOptions:
        """The options of one mining."""
        return make_options(MineOptions, self.mine, {"train": self.train, "seed": self.loop.seed, "top": self.loop.top, **own})

    def repair_options(self) -> RepairOptions:
        """The options of a repair; which masks count was settled before."""
        return make_options(RepairOptions, self.repair, {"which": "all", "seed": self.loop.seed})

    def rank_options(self, **own: Any) -> RankOptions:
        """The options of one ranking."""
        masks = "accepted" if self.people.checked else "submitted"
        asked = {"size": self.loop.test, "per_object": self.loop.per_object, "seed": self.loop.seed, "masks": masks, "unknown": "ignore"}
        return make_options(RankOptions, self.rank, asked, own)


@contextmanager
def as_key_of(table: str) -> Generator[None]:
    """Around a stage of the loop: another way that its error tells of is a key of LOOP.toml here, or none where `table` is empty."""
    try:
        yield
    except FormatError as error:
        if not error.otherwise:
            raise
        way = f"Or let up to N such samples be left out and listed: max_failures = N in [{table}]" if table else ""
        raise FormatError(error.fault, way) from error


def read_recipe(file: Path) -> Recipe:
    """The loop that a TOML file describes.

    Places in it that exist beside the file are meant from there, others from where the command runs.

    Raises:
        InputError: no such file, no TOML, an unknown table or key, one that the loop sets itself, or a value out of range.
    """
    try:
        content = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}). Give the TOML file of a loop") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: is no TOML ({error})") from error
    try:
        return _recipe(Path(file), content)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _recipe(file: Path, content: Mapping[str, Any]) -> Recipe:
    texts = ("name", *DATA, "target")
    if wrong := [key for key in content if key not in (*texts, *_TABLES)]:
        raise InputError(f"unknown entry `{wrong[0]}`. A loop has: {', '.join((*texts, *_TABLES))}")
    if wrong := [key for key in texts if not isinstance(content.get(key, ""), str)]:
        raise InputError(f"`{wrong[0]}` must be a text; got {content[wrong[0]]!r}")
    if wrong := [key for key in _TABLES if not isinstance(content.get(key, {}), dict)]:
        raise InputError(f"`{wrong[0]}` must be a table, [{wrong[0]}]; got {content[wrong[0]]!r}")
    if missing := [key for key in _NEEDED if not content.get(key)]:
        raise InputError(f'`{missing[0]}` is missing. Write a line such as {missing[0]} = "..." above the tables')
    tables = {name: content.get(name, {}) for name in _TABLES}
    for name, own in _SET_BY_LOOP.items():
        if taken := [key for key in tables[name] if key.replace("-", "_") in own]:
            raise InputError(f"[{name}] must not set `{taken[0]}`: the loop does, see [loop]")
    place = _places(file.resolve().parent)
    target = place(str(content["target"]))
    recipe = Recipe(
        name=str(content.get("name") or file.stem),
        file=file,
        pool=place(content["pool"]),
        train=place(content["train"]),
        val=place(content.get("val") or content["train"]),
        audit=place(content["audit"]) if content.get("audit") else "",
        target=target if target.startswith("weights:") else f"weights:{target}",
        rivals={name: place(spec) for name, spec in _rivals(tables["rivals"]).items()},
        loop=_table(LoopOptions, "loop", tables["loop"]),
        predict=_table(PredictOptions, "predict", tables["predict"]),
        mine=tables["mine"],
        people=_table(PeopleOptions, "review", tables["review"]),
        repair=tables["repair"],
        rank=tables["rank"],
        oracle=_oracle(tables["oracle"], place),
    )
    checks = {
        "mine": recipe.mine_options,
        "repair": lambda: learning_rates(recipe.repair_options()),
        "rank": recipe.rank_options,
        "review": lambda: [name_and_role(text, where="`reviewers`") for text in recipe.people.reviewers],
    }
    for name, check in checks.items():
        try:
            check()  # what is wrong is told before anything is made
        except InputError as error:
            raise InputError(f"[{name}] {error}") from error
    return recipe


def _table(options_type: type, name: str, given: Mapping[str, Any]) -> Any:
    try:
        return make_options(options_type, given)
    except InputError as error:
        raise InputError(f"[{name}] {error}") from error


def _oracle(given: Mapping[str, Any], place: Callable[[str], str]) -> OracleOptions:
    truth = given.get("truth")
    return _table(OracleOptions, "oracle", {**given, "truth": place(truth)} if isinstance(truth, str) and truth else given)


def _rivals(given: Mapping[str, Any]) -> dict[str, str]:
    if not given:
        raise InputError('[rivals] names no model. Write lines such as deeplab = "weights:runs/deeplab"')
    for name, spec in given.items():
        if not _RIVAL.fullmatch(name) or name == TARGET or name.startswith(f"{TARGET}-"):
            raise InputError(
                f"[rivals] a rival cannot be called '{name}': letters, digits and . _ + - are good, and `{TARGET}` is the target's"
            )
        if not isinstance(spec, str) or not spec:
            raise InputError(f"[rivals] `{name}` must be the spec of a model or of predictions; got {spec!r}")
    return dict(given)


def _places(folder: Path) -> Callable[[str], str]:
    def place(spec: str) -> str:
        """The spec with its place made absolute where it exists beside the file."""
        parsed = parse_spec(spec)
        if paths.is_url(parsed.where) or Path(parsed.where).is_absolute() or not (folder / parsed.where).exists():
            return spec
        start = len(parsed.kind) + 1 if parsed.kind else 0
        return f"{spec[:start]}{folder / parsed.where}{spec[start + len(parsed.where) :]}"

    return place
