"""Writes docs/reference/ from the code: verbs, specs, artifacts, faults. With --check it only compares, and fails where they differ.

What a table or a number means is said in `reference_words.toml` beside this script; a column or key without a word, and a word without a
column or key, is an error, so neither can be forgotten.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
import tempfile
import tomllib
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.options import OptionInfo, describe_options

REFERENCE = Path("docs/reference")
WORDS: dict[str, dict[str, str]] = tomllib.loads((Path(__file__).parent / "reference_words.toml").read_text(encoding="utf-8"))
HEAD = "<!-- Written by scripts/make_reference.py; change the code or its words, then run `make reference`. -->\n\n"


def main() -> int:
    pages = {"cli.md": cli(), "specs.md": specs(), "artifacts.md": artifacts(), "faults.md": faults(), "python.md": python()}
    different = []
    for name, body in pages.items():
        path, text = REFERENCE / name, HEAD + body.rstrip() + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            different.append(str(path))
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if "--check" in sys.argv and different:
        print(f"not what the code says: {', '.join(different)}. Run `make reference` and read what changed", file=sys.stderr)
        return 1
    print(f"reference: {len(pages)} pages, {len(different)} {'differ' if '--check' in sys.argv else 'written'}")
    return 0


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def escaped(text: str) -> str:
    """Text in which no `<` or `[` of a code comment is taken for mark-up."""
    return re.sub(r"(?<!`)<([a-z]+)>(?!`)", r"&lt;\1&gt;", text)


# The command line ----------------------------------------------------------------------------------------------------


def cli() -> str:
    parts = [
        "# Command line\n",
        "`figureground VERB ...`, or `python -m figureground VERB ...`. A result goes to standard output, progress and errors to standard",
        "error. Exit code 0: done. 1: our fault, or `doctor` found something. 2: the input or an option is at fault.\n",
        "Options that a verb reads from `--config FILE.toml` have the flag's name with `_` for `-`, for example `max_failures = 3`; a flag",
        "wins over the file.\n",
    ]
    for name, verb in verbs().items():
        arguments, options = parameters(verb)
        usage = " ".join(argument.metavar for argument, _, _ in arguments)
        parts += [
            f"## {name}\n",
            inspect.getdoc(verb) or "",
            "",
            f"```text\n{' '.join(filter(None, ('figureground', name, usage, '[options]')))}\n```\n",
        ]
        if arguments:
            parts.append(table(("argument", "meaning"), ((f"`{info.metavar}`", info.help or "") for info, _, _ in arguments)))
        parts.append(table(("option", "value", "meaning"), (option_row(*option) for option in options)))
    return "\n".join(parts)


def verbs() -> dict[str, Callable[..., Any]]:
    """Every verb of the command line, in the order of its help."""
    from figureground.cli.app import app

    found = {str(command.name): command.callback for command in app.registered_commands if command.callback}
    for group in app.registered_groups:
        assert group.typer_instance is not None
        commands = group.typer_instance.registered_commands
        found |= {f"{group.name} {command.name}": command.callback for command in commands if command.callback}
    return found


def parameters(verb: Callable[..., Any]) -> tuple[list[tuple[Any, Any, Any]], list[tuple[Any, Any, Any]]]:
    """Arguments and options of a verb, each as what typer was told, the annotated type and the parameter."""
    from typer.models import ArgumentInfo

    told = []
    for parameter in inspect.signature(verb, eval_str=True).parameters.values():
        kind, info = typing.get_args(parameter.annotation)
        told.append((info, kind, parameter))
    return [t for t in told if isinstance(t[0], ArgumentInfo)], [t for t in told if not isinstance(t[0], ArgumentInfo)]


def option_row(info: Any, kind: Any, parameter: inspect.Parameter) -> tuple[str, str, str]:
    # In an annotation typer takes the first text for a default, and sorts it out later.
    flags = [text for text in (info.default, *(info.param_decls or ())) if isinstance(text, str) and text.startswith("-")]
    plain = next(k for k in (typing.get_args(kind) or (kind,)) if k is not type(None))
    many = typing.get_origin(plain) is list or typing.get_origin(kind) is list
    words = {bool: "", int: "whole number", float: "number", str: "text", Path: "path", tuple[str, str]: "two texts"}
    value = "text, several" if many else words[plain]
    help_text, default = info.help or "", parameter.default
    told = "default:" in help_text.lower() or default is None or default is False or default is inspect.Parameter.empty
    return ", ".join(f"`{flag}`" for flag in flags).replace("/", "`, `"), value, help_text if told else f"{help_text} [default: {default}]"


# Specs ---------------------------------------------------------------------------------------------------------------


def specs() -> str:
    from figureground.data.dataset import FORMATS, open_dataset
    from figureground.data.predictions import PREDICTION_KINDS, open_predictions
    from figureground.models.classifier import open_classifier
    from figureground.models.predictor import CLASSIFIERS, PREDICTORS, open_predictor

    parts = [
        "# Specs: DATA, PREDICTIONS, MODEL\n",
        "A spec is one text, `KIND:WHERE?key=value&key=value`. WHERE is a path, or an address that fsspec understands. A value may be",
        "percent-encoded, so that it can hold `&`. An unknown kind or key is refused with the nearest known one.\n",
        "## DATA\n",
        _doc(open_dataset),
    ]
    parts += [
        f"### {'A directory, or `own:`' if kind == 'own' else f'`{kind}:`'}\n\n{_doc(FORMATS.resolve(kind))}" for kind in FORMATS.names()
    ]
    parts += ["## PREDICTIONS\n", _doc(open_predictions)]
    for kind in PREDICTION_KINDS.names():
        title = "A directory, or `artifact:`" if kind == "artifact" else f"`{kind}:`"
        parts.append(f"### {title}\n\n{_doc(PREDICTION_KINDS.resolve(kind))}")
    parts += ["## MODEL\n", _doc(open_predictor), model_settings()]
    for kind in PREDICTORS.names():
        opener = PREDICTORS.resolve(kind)
        module = inspect.getmodule(opener)
        assert module is not None
        first = (module.__doc__ or "").strip().split("\n")[0] if module.__name__.startswith("figureground.models.") else ""
        parts.append(f"### `{kind}:` model\n\n{first}\n\n{_doc(opener)}")
    parts += ["## MODEL of classify\n", _doc(open_classifier)]
    parts += [f"### `{kind}:` classifier\n\n{_doc(CLASSIFIERS.resolve(kind))}" for kind in CLASSIFIERS.names()]
    return "\n".join(parts)


def model_settings() -> str:
    from figureground.models import settings

    return "Settings that every kind of model understands:\n\n" + table(
        ("setting", "meaning"), ((f"`{key}`", _word("model_settings", key)) for key in _complete("model_settings", settings._READERS))
    )


def _doc(what: Callable[..., Any]) -> str:
    """The docstring as Markdown: its Options as a list, without what concerns callers from Python only."""
    text = inspect.getdoc(what) or ""
    lines, section = [], ""
    for line in text.split("\n"):
        if match := re.match(r"(Args|Options|Raises|Returns|Source):\s*(.*)$", line):
            section = match.group(1)
            if section in ("Options", "Source"):
                lines += ["", f"**{section}**" + (f" {match.group(2)}" if match.group(2) else ""), ""]
        elif section in ("Args", "Raises", "Returns") and (line.startswith("    ") or not line):
            continue  # these are for Python and stand on its page
        elif section and (match := re.match(r"    ([\w`, ]+?):\s(.*)$", line)):
            lines.append(f"- `{match.group(1).strip('`')}`: {match.group(2)}")
        elif section and line.startswith("        "):
            lines[-1] += " " + line.strip()
        else:
            section = section if line.startswith("    ") else ""
            lines.append(line)
    return escaped("\n".join(lines)).strip() + "\n"


# Artifacts -----------------------------------------------------------------------------------------------------------


def artifacts() -> str:
    parts = [
        "# Artifacts\n",
        "Every stage writes one directory. It is called `NAME.partial` while it is being written and gets its name when it is whole, so a",
        "directory with a `manifest.json` is finished. The manifest's `key` is a digest of inputs, options and code version: the same",
        "command finds the same key and has nothing to do. Tables are Parquet, label maps are runs (values and lengths, row by row), and",
        "everything can be read without figureground.\n",
        "## manifest.json\n",
        table(("key", "meaning"), ((f"`{key}`", _word("manifest", key)) for key in _complete("manifest", _manifest_keys()))),
        "`failures.json` beside it lists the samples that were left out, each with the fields of a [fault](faults.md).\n",
        "## predictions\n",
        "Written by `predict`; the manifest's `details` hold the model's spec, the classes and the rules for pictures and logits.\n",
    ]
    with tempfile.TemporaryDirectory() as folder:
        predictions = _small_prediction(Path(folder))
        for name in sorted(path.name for path in predictions.iterdir() if path.is_dir()):
            first = next((predictions / name).glob("*.parquet"))
            parts.append(schema_table(f"predictions/{name}", f"{name}/*.parquet", pq.read_schema(first)))
    with tempfile.TemporaryDirectory() as folder:
        audit = _small_audit(Path(folder) / "audit")
        parts += ["## audit\n", "Written by `audit`.\n"]
        parts += [schema_table(f"audit/{path.stem}", path.name, pq.read_schema(path)) for path in sorted(audit.glob("*.parquet"))]
        parts.append(summary_table(json.loads((audit / "audit.json").read_text(encoding="utf-8"))))
    parts += [
        "`report.html` is one page made from these tables; `figureground report AUDIT` writes it again.\n",
        "## dataset\n",
        "Written by `shift compose`, and by `demo`: a data set in the project's own form, `dataset.toml`, `samples.csv`, `images/` and `masks/`.",
        "Beside them lie `balance.csv`, the balance table of its training pictures, and `sheet.jpg`, some pictures of each group. Its",
        "`samples.csv` has the columns below beside `id`, `image`, `mask`, `label`, `split` and `context`; the manifest's `details` hold the",
        "classes, which context each is tied to, the pictures of each group, and how label and context hang together in training; of pasted",
        "pictures also how often each figure and scene is used at least and at most, and what was left out.\n",
        table(("column", "meaning"), ((f"`{column}`", _word("columns.dataset", column)) for column in _composed_columns())),
        "`shift split` writes one directory with a folder `rho-<rho>/` for each correlation: `dataset.toml`, `samples.csv` and the `balance.csv` of",
        "its training samples. Beside them lie `balance-test.csv`, `sheet.jpg` with pictures of the test set and, where masks were drawn",
        "from annotations, `masks/`. `source_split` in its tables is the split a sample had before; `found_context` and `area_context` are",
        "contexts that were found, or decided by areas. The manifest's `details` hold classes, contexts, what is tied, the samples of each group, and the stability of found contexts.\n",
        "### balance.csv\n",
        "Also what `shift balance --out` writes. An empty cell does not apply, or is undefined.\n",
        table(
            ("column", "meaning"),
            ((f"`{column}`", _word("columns.balance", column)) for column in _complete("columns.balance", _balance())),
        ),
        *swaps(),
        *weights(),
        *sweeps(),
        *queues(),
        *labels(),
        *rankings(),
        *grids(),
        *answers_of_classifiers(),
        *loops(),
    ]
    return "\n".join(parts)


def swaps() -> list[str]:
    """What `swap infill` and `swap build` write."""
    from figureground.data.backgrounds import GATES, GROUNDS
    from figureground.stages.swap.build import COLUMNS
    from figureground.stages.swap.proof import make_proof, proof_to_json

    grounds = {
        "label": ["a", "b"],
        "context": ["in", "out"],
        "gates": [[], []],
        "cut": [True, True],
        **{key: [1.0, 1.0] for key in ("iou", "kept", "hidden", "leakage")},
    }
    made = {name: ["a", "b"] for name in ("label", "source", "context")} | {"swapped": ["yes", "yes"]}
    keys = list(_proof_keys(proof_to_json(make_proof(grounds, made, {}))))
    return [
        "`swap build` writes such a data set, too: swapped training pictures in `images/`, their masks in `masks/`, the samples of the other splits",
        "where they lie, and `proof.json`. Its `samples.csv` has these columns beside those of the data set it was made of:\n",
        table(("column", "meaning"), ((f"`{name}`", _word("columns.swapped", name)) for name in _complete("columns.swapped", COLUMNS))),
        "### proof.json\n",
        "Nats and fractions; null is undefined.\n",
        table(("key", "meaning"), ((f"`{key}`", _word("proof", key)) for key in _complete("proof", keys))),
        "## backgrounds\n",
        "Written by `swap infill`: `grounds.parquet`, and the infilled backgrounds in `images/`. The manifest's `details` hold the masks and the",
        "infill, the `thresholds`, the number of samples of each gate, and of backgrounds of each class.\n",
        schema_table("backgrounds", "grounds.parquet", GROUNDS),
        table(("gate", "what comes of it"), ((f"`{gate}`", text) for gate, text in GATES.items())),
    ]


def _proof_keys(proof: Mapping[str, Any]) -> Iterable[str]:
    """Dotted keys of a proof; what is counted by gate or class is one of them."""
    for key, value in proof.items():
        if key in ("source", "context"):
            yield from (f"{key}.before.{inner}" for inner in value["before"])
            yield f"{key}.after"
        elif key == "masks":
            yield from (f"masks.{inner}" for inner in value)
        else:
            yield key


def weights() -> list[str]:
    """What `train`, `repair` and `refit` write."""
    from figureground.models.fit import answers, history
    from figureground.stages.refit import card as refits
    from figureground.stages.refit import methods
    from figureground.stages.repair.candidates import COLUMNS
    from figureground.stages.repair.card import KEYS

    with tempfile.TemporaryDirectory() as folder:
        card = json.loads((_small_weights(Path(folder)) / "card.json").read_text(encoding="utf-8"))
    return [
        "## weights\n",
        "Written by `train`, `repair` and `refit`: `weights.safetensors`, the tensors of the network by name; `card.json`, and `card.md` for people; the curves as",
        "`curves.csv` and `curves.svg`; what `--log tensorboard` was told, in `tensorboard/`. MODEL spec `weights:DIR` opens it.\n",
        "### card.json\n",
        table(("key", "meaning"), ((f"`{key}`", _word("card", key)) for key in _complete("card", (*card, "groups")))),
        "Weights that `repair` wrote have one entry more, `repair`, and `candidates.csv` beside them.\n",
        "### card.json of a repair\n",
        table(("key", "meaning"), ((f"`repair.{key}`", _word("repair", key)) for key in _complete("repair", KEYS))),
        "### candidates.csv\n",
        "One row a learning rate; what a candidate that diverged has not is empty.\n",
        table(
            ("column", "meaning"), ((f"`{name}`", _word("columns.candidates", name)) for name in _complete("columns.candidates", COLUMNS))
        ),
        "Weights that `refit` wrote have an entry `refit` and, in place of curves, `choices.csv`.\n",
        "### card.json of a refit\n",
        table(("key", "meaning"), ((f"`refit.{key}`", _word("refit", key)) for key in _complete("refit", refits.KEYS))),
        "### choices.csv\n",
        "One row a setting that was tried; what a method has not is empty.\n",
        table(
            ("column", "meaning"),
            ((f"`{name}`", _word("columns.choices", name)) for name in _complete("columns.choices", methods.COLUMNS)),
        ),
        "### curves.csv\n",
        "One row an epoch; an empty cell is undefined. Figures are of the validation samples, at the size of training. Those of a repair have",
        "the figures on the labelled samples it was judged by beside them, from `labelled_loss` to `labelled_added`.\n",
        table(
            ("column", "meaning"), ((f"`{name}`", _word("columns.curves", name)) for name in _complete("columns.curves", history.COLUMNS))
        ),
        "A classifier has these figures beside `loss` instead:\n",
        table(
            ("column", "meaning"),
            ((f"`{name}`", _word("columns.answer_curves", name)) for name in _complete("columns.answer_curves", answers.FIGURES[1:])),
        ),
    ]


def loops() -> list[str]:
    """What `loop` writes, and the options of its own tables."""
    from figureground.loops.options import LoopOptions, OracleOptions, PeopleOptions
    from figureground.loops.summary import KEYS, ROUND_KEYS

    parts = [
        "## loop\n",
        "A loop is a directory of artifacts, see [the how-to](../how-to/loop.md#what-a-round-does). `report/` among them is what `loop` makes of all",
        "rounds so far: `loop.json`, `examples/` with a picture, its mask and what the target saw before and after, and `report.html`. A figure is",
        "`{value, low, high}`; null is undefined, or not known yet.\n",
        "### loop.json\n",
        table(("key", "meaning"), ((f"`{name}`", _word("loop", name)) for name in _complete("loop", KEYS))),
        "### loop.json, a round\n",
        table(("key", "meaning"), ((f"`{name}`", _word("loop_round", name)) for name in _complete("loop_round", ROUND_KEYS))),
    ]
    for name, options in (("loop", LoopOptions), ("review", PeopleOptions), ("oracle", OracleOptions)):
        parts += [f"### LOOP.toml, [{name}]\n", table(("key", "default", "meaning"), map(_loop_option, describe_options(options)))]
    return parts


def _loop_option(info: OptionInfo) -> tuple[str, str, str]:
    unit = f" In {info.unit}." if info.unit else ""
    choices = f" One of: {', '.join(info.choices)}." if info.choices else ""
    default = "none" if info.default in ("", ()) else str(info.default).lower() if isinstance(info.default, bool) else str(info.default)
    return f"`{info.name}`", f"`{default}`", f"{info.help}{choices}{unit}"


def sweeps() -> list[str]:
    """What `shift sweep` writes as its table."""
    from figureground.sweeps.rows import Difference, Row

    names = [field.name for field in dataclasses.fields(Row)]
    more = [field.name for field in dataclasses.fields(Difference) if field.name not in names]
    return [
        "## sweep\n",
        "Written by `shift sweep` as `table/`: `sweep.json`, a list of rows; `sweep.csv`, the same with `_low` and `_high` beside each figure;",
        "`sweep.svg`, their picture. A figure is `{value, low, high}`; null is undefined.\n",
        "### sweep.json\n",
        table(("key", "meaning"), ((f"`{name}`", _word("sweep", name)) for name in _complete("sweep", names))),
        "### differences.json\n",
        "A list of what changes against the first rho, and against the first objective, of the recipe: the keys of `sweep.json`, each figure a",
        "difference paired by seed and resample, and\n",
        table(("key", "meaning"), ((f"`{name}`", _word("differences", name)) for name in _complete("differences", more))),
    ]


def queues() -> list[str]:
    """What `mine` writes."""
    from figureground.stages.mine.account import GROUP_SCHEMA
    from figureground.stages.mine.queue import MAPS_SCHEMA, QUEUE_SCHEMA

    return [
        "## queue\n",
        "Written by `mine`: the samples chosen for people. `sheet.jpg` shows the first of them, `passed-over.csv` lists near-duplicates and",
        "pictures that could not be read with `id` and `why`; the manifest's `details` hold classes, models, bounds and counts.\n",
        schema_table("queue", "queue.parquet", QUEUE_SCHEMA),
        schema_table("maps_of_queue", "maps.parquet", MAPS_SCHEMA),
        schema_table("groups_of_queue", "groups.parquet", GROUP_SCHEMA),
    ]


def labels() -> list[str]:
    """What `review` and `labels import` write."""
    from figureground.data.labels import TABLES

    return [
        "## labels\n",
        "Written by `review`, and by `labels import` with masks alone: what people said, with who and when. The manifest's `details` hold the",
        "project and its classes; of a review also its models (name, where the maps are from, and of the target a digest of maps it gave) and,",
        "as `review`, the identity of its database, while `options` hold what people were asked.\n",
        *(schema_table(f"labels/{name}", f"{name}.parquet", schema) for name, schema in TABLES.items()),
    ]


def rankings() -> list[str]:
    """What `rank` writes."""
    from figureground.stages.rank.tables import CANDIDATES, MODELS, PAIRS, SCORES, STABILITY

    tables = {"candidates": CANDIDATES, "models": MODELS, "pairs": PAIRS, "scores": SCORES, "stability": STABILITY}
    return [
        "## ranking\n",
        "Written by `rank`: `test/`, the test set as a data set without masks, and `candidates.parquet`. Where all masks are there also the",
        "other tables, `ranking.json`, and `ranking.svg`, its picture. The manifest's `details` hold `state` (`waiting` or `ranked`), the classes,",
        "the models, the ids of the test set as `test` and of samples whose masks wait as `waiting`, how many of those have a mask that does not",
        "count as `unchecked`, and how many candidates there are of each decision and main object.\n",
        *(schema_table(f"ranking.{name}", f"{name}.parquet", schema) for name, schema in tables.items()),
        "### ranking.json\n",
        "`{value, low, high}` is a number with the ends of its interval; null means undefined.\n",
        table(
            ("key", "meaning"),
            ((f"`{key}`", _word("ranking", key)) for key in _complete("ranking", dict.fromkeys(_paths(_small_ranking())))),
        ),
    ]


def answers_of_classifiers() -> list[str]:
    """What `classify` writes."""
    from figureground.stages.classify.measure import Answered, measure
    from figureground.stages.classify.options import ClassifyOptions
    from figureground.stages.classify.pictures import PICTURES
    from figureground.stages.classify.summary import FLIPS, GROUPS, answer_table, summarise

    answered = Answered(
        ids=("a", "b"),
        labels=("cat", "cat"),
        contexts=("in", "out"),
        figures=("f", "f"),
        clusters=("f", "f"),
        names=("cat", "dog"),
        probabilities=np.array([[0.9, 0.1], [0.2, 0.8]], np.float32),
        groups=np.array([0, 1]),
        group_names=("cat, in", "cat, out"),
        group_values=(("cat", "in"), ("cat", "out")),
    )
    options = ClassifyOptions(figure="figure", resamples=10)
    summary = summarise(answered, measure(answered, options, shares={}, common={"cat": "in"}), options=options, model="weights:DIR")
    told = {name.replace("p_cat", "p_CLASS").replace("flip_rates.cat", "flip_rates.CLASS"): None for name in _paths(summary)}
    schema = answer_table(answered).select(["id", "label", "answer", "context", "figure", "p_cat"]).schema
    schema = schema.set(5, schema.field(5).with_name("p_CLASS"))
    return [
        "## answers\n",
        "Written by `classify`: `answers.parquet`, `groups.parquet`, with `--figure` also `flips.parquet` and `pictures.parquet`,",
        "and `summary.json`; `figureground report ANSWERS` makes one page of them. The manifest's",
        "`details` hold the classes, the data set, the model and the digest of its weights.\n",
        *(
            schema_table(f"answers.{name}", f"{name}.parquet", one)
            for name, one in {"answers": schema, "groups": GROUPS, "flips": FLIPS, "pictures": PICTURES}.items()
        ),
        "### summary.json\n",
        "`{value, low, high}` is a fraction with the ends of its interval; null means undefined.\n",
        table(("key", "meaning"), ((f"`{key}`", _word("answers", key)) for key in _complete("answers", told))),
    ]


def grids() -> list[str]:
    """What `swap detect` writes."""
    from figureground.data.grids import GRIDS
    from figureground.stages.detect.measure import RATES
    from figureground.stages.detect.summary import KEYS, POINT

    named = [
        *KEYS,
        "gain.labels",
        "gain{value, low, high}",
        *(f"curve[].{name}" for name in POINT),
        *(f"curve[].patches.{name}{{value, low, high}}" for name in RATES),
    ]
    return [
        "## grids\n",
        "Written by `swap detect`: P(background) of every patch of every training picture. Beside the table stand `detector/`, the weights of the",
        "detector with card and curves, which MODEL spec `weights:DIR/detector` opens; `detect.json`; `curve.svg`, its picture; and `sheet.jpg`, some of",
        "the held-out pictures with labels, P(background) and what is cut out and filled. The manifest's",
        "`details` hold `thresholds`, as `tight` and `loose`: a patch is cut out, or filled, where P(background) lies below that bound; and rows,",
        "columns, how many labels there were, and the detector.\n",
        schema_table("grids", "grids.parquet", GRIDS),
        "### detect.json\n",
        "`{value, low, high}` is a share with the ends of its interval over the held-out pictures; null means undefined.\n",
        table(("key", "meaning"), ((f"`{key}`", _word("detect", key)) for key in _complete("detect", named))),
    ]


def _small_ranking() -> dict[str, Any]:
    """A real summary of two small models."""
    from figureground.metrics.joint import joint_counts
    from figureground.metrics.overlap import counts_by_class
    from figureground.metrics.ranking import pair_members
    from figureground.metrics.standings import standings
    from figureground.stages.rank.options import RankOptions
    from figureground.stages.rank.summary import summarise
    from figureground.stages.rank.tables import model_table, pair_table

    rng, names = np.random.default_rng(0), ("one", "other")
    truth = rng.integers(0, 3, (6, 8, 9)).astype(np.uint8)
    maps = [np.where(rng.random(truth.shape) < part, truth, 0).astype(np.uint8) for part in (0.9, 0.5)]
    counts = [counts_by_class([joint_counts(t, m, classes=3) for t, m in zip(truth, own, strict=True)], ids=range(3)) for own in maps]
    members = pair_members(np.zeros((6, 2, 2)), 0)
    found, ids = standings(counts, members=members, resamples=20), [f"s{n}" for n in range(6)]
    models, pairs = model_table(found, names), pair_table(found, names, members, level=0.95)
    return summarise(found, models, pairs, samples=ids, void=0, duel=False, options=RankOptions())


def _small_weights(folder: Path) -> Path:
    """A real training of one epoch on one picture."""
    import figureground
    from figureground.models.fit.options import FitOptions
    from figureground.stages.train.stage import run_train

    _small_prediction(folder)
    options = FitOptions(
        architecture="torchvision:lraspp_mobilenet_v3_large", size=32, epochs=1, train_split="", val_split="", device="cpu"
    )
    return run_train(figureground.open_dataset(str(folder)), options=options, out=folder / "weights")


def schema_table(words: str, file: str, schema: pa.Schema) -> str:
    section = f"columns.{words.replace('/', '.')}"
    known = _complete(section, schema.names)
    rows = ((f"`{column}`", str(schema.field(column).type).replace("element: ", ""), _word(section, column)) for column in known)
    return f"### {file}\n\n{table(('column', 'type', 'meaning'), rows)}"


def summary_table(summary: Mapping[str, Any]) -> str:
    """The keys of audit.json, those of one prediction at the top level."""
    several = {key: value for key, value in summary.items() if key != "predictions"}
    keys = dict.fromkeys([*_paths({**several, **next(iter(summary["predictions"].values()))})])
    rows = ((f"`{key}`", _word("audit", key)) for key in _complete("audit", keys))
    told = [
        "### audit.json\n",
        "Every number is a fraction in [0, 1] or a number of pixels; `{value, low, high}` is a number with the ends of its interval;",
        "`null` means undefined. With several predictions, the keys of each stand under `predictions.NAME`, beside `differences`.",
        "",
    ]
    return "\n".join([*told, table(("key", "meaning"), rows)])


def _paths(value: Any, prefix: str = "") -> Iterable[str]:
    """Dotted paths of a JSON value, names of classes, predictions, attributes and scores replaced by their kind."""
    if isinstance(value, Mapping) and {"value", "low", "high"} <= set(value):
        yield f"{prefix}{{value, low, high}}"
        yield from (f"{prefix}.{key}" for key in value if key not in ("value", "low", "high"))
    elif isinstance(value, Mapping):
        named = {"iou": "CLASS", "attributes": "NAME", "common": "NAME", "rivals": "SCORE"}.get(prefix.rpartition(".")[2])
        for key, inner in value.items():
            yield from _paths(inner, f"{prefix}.{named or key}".lstrip("."))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for row in value:
            yield from _paths(row, f"{prefix}[]")
    else:
        yield prefix


def _small_prediction(folder: Path) -> Path:
    """A real prediction of one picture by a callable that tells light from dark."""
    import cv2

    import figureground
    from figureground.models.predictor import PredictorSpec
    from figureground.models.python import CallablePredictor
    from figureground.stages.predict.stage import run_predict

    cv2.imwrite(str(folder / "a.png"), np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8))
    cv2.imwrite(str(folder / "mask.png"), np.zeros((64, 64), np.uint8))
    (folder / "samples.csv").write_text("id,image,mask\na,a.png,mask.png\n")
    (folder / "dataset.toml").write_text('[classes]\nnames = ["ground", "light", "dark"]\n[samples]\ntable = "samples.csv"\n')
    light = CallablePredictor(
        lambda x: np.concatenate([0 * x[:, :1], x[:, :2]], axis=1), spec=PredictorSpec(kind="python", where="x", classes=3)
    )
    return run_predict(light, figureground.open_dataset(str(folder)), out=folder / "predictions")


def _small_audit(out: Path) -> Path:
    """A real audit of two small predictions with risk, so that tables and keys are those the code writes."""
    import figureground
    from figureground.data.predictions import predictions_from_arrays

    rng = np.random.default_rng(0)
    masks = {f"s{i:02d}": rng.integers(0, 3, (8, 9)).astype(np.uint8) for i in range(24)}
    labels = {name: {"label": ("cat", "dog")[i % 2], "context": ("indoor", "outdoor")[i // 2 % 2]} for i, name in enumerate(masks)}
    data = figureground.dataset_from_arrays(masks, classes=["background", "cat", "dog"], attributes=labels)
    given = []
    for name in ("a", "b"):
        maps = {
            i: np.where(rng.random(mask.shape) < 0.7, mask, rng.integers(0, 3, mask.shape)).astype(np.uint8) for i, mask in masks.items()
        }
        scores = {"flip_risk": {i: float(rng.random()) for i in masks}, "entropy": {i: float(rng.random()) for i in masks}}
        given.append(predictions_from_arrays(maps, data.classes, name=name, scores=scores))
    options = figureground.AuditOptions(resamples=20, common=("cat=indoor", "dog=outdoor"), merge=("pet=cat,dog",), confusable=("cat,dog",))
    return figureground.audit(data, given, out=out, options=options).path


def _composed_columns() -> list[str]:
    """The columns that the kinds of composition add, drawn figures first."""
    from figureground.stages.shift.composition import ComposeOptions
    from figureground.stages.shift.figures.kind import compose_figures
    from figureground.stages.shift.placing import COLUMNS

    drawn = compose_figures(ComposeOptions(train=1, val=0, test=0)).draw(0).attributes
    return _complete("columns.dataset", dict.fromkeys((*drawn, *COLUMNS)))


def _balance() -> dict[str, None]:
    """The columns of a balance table."""
    from figureground.stages.shift.balance import COLUMNS

    return dict.fromkeys(COLUMNS)


def _manifest_keys() -> list[str]:
    import dataclasses

    from figureground.runs.artifact import Manifest

    return [field.name for field in dataclasses.fields(Manifest)]


def _complete(section: str, found: Iterable[str]) -> list[str]:
    """What was found, in its order, after making sure that the words and what was found are the same set."""
    found = list(found)
    words = set(_section(section))
    if missing := [key for key in found if key not in words]:
        raise SystemExit(f"scripts/reference_words.toml: [{section}] says nothing of {', '.join(missing)}")
    if extra := sorted(words - set(found)):
        raise SystemExit(f"scripts/reference_words.toml: [{section}] describes what is not there: {', '.join(extra)}")
    return found


def _section(section: str) -> Mapping[str, str]:
    words: Any = WORDS
    for part in section.split("."):
        words = words.get(part, {})
    return words


def _word(section: str, key: str) -> str:
    return _section(section)[key]


# Faults and Python ---------------------------------------------------------------------------------------------------


def faults() -> str:
    from figureground.data.faults import FAULT_CODES

    return "\n".join(
        [
            "# Faults\n",
            "What `figureground doctor` lists and every other verb refuses, in the same words: each fault names the file, the sample, the",
            "problem and a remedy. The code is stable and stands in `doctor --json` and in `failures.json`.\n",
            table(("code", "what it is"), ((f"`{code}`", meaning) for code, meaning in FAULT_CODES.items())),
        ]
    )


def python() -> str:
    import figureground

    names = [name for name in figureground.__all__ if not name.startswith("__")]
    homes = {name: getattr(figureground, name).__module__ for name in names}
    order = sorted(names, key=lambda name: (name[0].isupper(), name.lower()))
    body = "\n".join(f"::: {homes[name]}.{name}\n" for name in order)
    return f"# Python\n\nEverything here is `figureground.NAME`; importing figureground loads none of it before it is used.\n\n{body}"


if __name__ == "__main__":
    sys.exit(main())
