"""The repair stage: opens network, labels and data, runs the candidates, and writes the kept weights with their card and curves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figureground.core.errors import InputError
from figureground.core.progress import QuietReporter, Reporter
from figureground.core.whole_file import write_atomically
from figureground.data.dataset import Dataset
from figureground.models.digest import file_digest
from figureground.models.fit.before import figures_before, keep_logits
from figureground.models.fit.card import card_text, input_digests, make_card
from figureground.models.fit.checkpoint import LAST_GOOD, write_tensors
from figureground.models.fit.curves import curves_csv, curves_svg
from figureground.models.fit.devices import Devices, open_devices
from figureground.models.fit.distil import Distillation, KeptLogits
from figureground.models.fit.freeze import freeze_encoder
from figureground.models.fit.loggers import open_loggers
from figureground.models.fit.loop import Diverged, FitResult, fit
from figureground.models.fit.mixture import Mixture
from figureground.models.fit.networks import WEIGHTS_FILE, architecture_digest, trained_spec
from figureground.models.fit.options import FitOptions
from figureground.models.fit.replay import Replay
from figureground.models.trained import CARD
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, library_versions, to_json
from figureground.runs.sources import partial_place
from figureground.stages.repair.candidates import Candidate, candidates_csv, choose, judged
from figureground.stages.repair.card import repair_of_card, repair_text
from figureground.stages.repair.labelled import Labelled, read_labelled
from figureground.stages.repair.material import Material, gather, open_splits
from figureground.stages.repair.options import HARMLESS, RepairOptions, fit_options, learning_rates
from figureground.stages.repair.target import Target, open_target

KIND, SCHEMA = "weights", 1
LOGITS = "before"
"""Shard with the logits of the model before."""


def run_repair(
    weights: str,
    labels: Sequence[str],
    *,
    data: Dataset,
    val: Dataset,
    pool: Dataset | None = None,
    options: RepairOptions | None = None,
    out: Path,
    reporter: Reporter | None = None,
    devices: Devices | None = None,
) -> Path:
    """Repairs a trained network with what people labelled, and writes an artifact `weights` as training does.

    Its card has an entry `repair` more, and `candidates.csv` lists what came of each learning rate. Where no candidate is better on
    labelled samples within the limit, the weights are those from before and the card says so. An interrupted repair goes on behind its last
    checkpoint and ends with the same weights.

    Args:
        weights: `DIR` or `weights:DIR` of a trained network; `?architecture=` where Python code builds it.
        labels: labels artifacts, the oldest first.
        data: the training data of the network.
        val: the validation data of the network; `val_split` of it is used.
        pool: data set that was labelled, where the labels do not say where their pictures are.
        options: what is mixed, how it is learned, and what may be forgotten.
        out: directory of the artifact; there already with the same key = nothing is done.
        reporter: where progress is told; default nowhere.
        devices: where it runs; default what `options.device` names.

    Returns:
        `out`.

    Raises:
        InputError: what does not fit together, see the how-to.
        Diverged: every candidate diverged.
        ArtifactError: no labels artifact, or `out` holds something else.
        FormatError: a faulty picture, mask or table.
        MissingExtra: a library that the network needs is not installed.
    """
    options = options or RepairOptions()
    devices = devices or open_devices(options.device)
    speaker = reporter if reporter is not None and devices.rank == 0 else QuietReporter()
    rates, target = learning_rates(options), open_target(weights)
    splits = open_splits(data, val, target=target, options=options)
    labelled = read_labelled(labels, target=target, pool=pool, which=options.which)
    inputs = _inputs(splits, labelled, target)
    settings = {name: value for name, value in dataclasses.asdict(options).items() if name not in HARMLESS}
    settings |= {"architecture": target.architecture.text, "device": f"{devices.device.type} x {devices.world}"}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key):
        speaker.say(f"{out}: these weights are there already, nothing to do")
        return out
    material = gather(splits, labelled, target=target, options=options, stride_px=target.architecture.stride_px)
    freeze_encoder(target.network(), target.architecture, depth=options.freeze)  # refuses a depth that is not there before it writes
    places = [*labels, *(str(Path(one) / name) for one in labels for name in ("manifest.json", "masks.parquet"))]
    sources = (target.file, *places, *(file for split in (data, val, labelled.data) for file in split.every_file()))
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=speaker) if devices.rank == 0 else None
    devices.wait()
    for note in material.notes:
        speaker.say(f"note: {note}")
    run = _Repair(target, material, options, out, devices, speaker)
    candidates = [run.candidate(rate) for rate in rates]
    if len(run.diverged) == len(candidates):
        raise Diverged(f"every candidate diverged, so there is nothing to keep. {run.diverged[0].what}", run.diverged[0].tries)
    if writer:
        _write(writer, run, candidates, labelled, inputs, settings, speaker)
    devices.wait()
    return out


class _Repair:
    """What the candidates have in common."""

    def __init__(self, target: Target, material: Material, options: RepairOptions, out: Path, devices: Devices, reporter: Reporter) -> None:
        self.target, self.material, self.options = target, material, options
        self.partial, self.name, self.devices, self.reporter = partial_place(out), out.name, devices, reporter
        self.diverged: list[Diverged] = []
        self.mixture = Mixture(
            labelled=material.learned,
            replay=len(material.train) - material.learned,
            how=options.mixing,
            share=options.share,
            sampled=options.replay,
        )
        told, before = self.fit_options(1.0), target.network()
        figures = figures_before(before, material.val, options=told, devices=devices)
        if math.isnan(figures.miou):
            raise InputError(f"{material.splits['val'].name}: no validation pixel counts. Give samples whose masks are not void")
        reporter.say(f"before: mIoU {figures.miou:.4f} and flipped {figures.flipped:.4f} on the validation samples")
        kept = KeptLogits(folder=self.partial / ".shards" / LOGITS, first=material.learned) if options.distil else None
        if kept is not None and devices.rank == 0:
            drawn = self.mixture.drawn(seed=options.seed, epochs=options.epochs).tolist()
            keep_logits(before, material.train, drawn, kept=kept, options=told, devices=devices, reporter=reporter)
        devices.wait()
        self.replay = Replay(
            mixture=self.mixture,
            judged=material.judged,
            before=figures,
            before_judged=figures_before(before, material.judged, options=told, devices=devices),
            limit=options.limit,
            distillation=Distillation(weight=options.distil, temperature=options.temperature) if kept is not None else None,
            kept=kept,
        )

    def fit_options(self, lr: float) -> FitOptions:
        """The options of the training loop at a learning rate."""
        target = self.target
        return fit_options(self.options, architecture=target.architecture.text, size=target.size, norm=target.norm, lr=lr)

    def candidate(self, lr: float) -> Candidate:
        """One learning rate to its end, or from where it was stopped."""
        self.reporter.say(f"candidate: learning rate {lr:g}")
        network, told = self.target.network(), self.fit_options(lr)
        freeze_encoder(network, self.target.architecture, depth=self.options.freeze)
        name = f"rate-{lr:g}"
        loggers = []
        if self.devices.rank == 0:
            settings = dataclasses.asdict(told)
            loggers = open_loggers(self.options.log, folder=self.partial / name, run=f"{self.name}-{name}", options=settings)
        try:
            result = fit(
                network,
                train=self.material.train,
                val=self.material.val,
                options=told,
                state_dir=self.partial / ".shards" / name,
                last_good=self.partial.with_suffix(f".{name}.{LAST_GOOD}"),
                reporter=self.reporter,
                loggers=loggers,
                devices=self.devices,
                replay=self.replay,
            )
        except Diverged as error:
            self.reporter.say(f"note: learning rate {lr:g} diverged and is dropped")
            self.diverged.append(error)
            return Candidate(lr=lr, result=None, why=str(error))
        finally:
            for logger in loggers:
                logger.close()
        return judged(lr, result, self.replay)


def _inputs(splits: dict[str, Dataset], labelled: Labelled, target: Target) -> dict[str, str]:
    """Digests of what goes in, by role."""
    found = input_digests({**splits, "labelled": labelled.data})
    return found | {"weights": target.card["sha256"]} | architecture_digest(target.architecture.text)


def _write(
    writer: ArtifactWriter,
    run: _Repair,
    candidates: Sequence[Candidate],
    labelled: Labelled,
    inputs: dict[str, str],
    settings: dict[str, Any],
    reporter: Reporter,
) -> None:
    chosen, options, target = choose(candidates), run.options, run.target
    shown = chosen or next(one for one in candidates if one.result is not None)
    result = shown.result
    assert isinstance(result, FitResult)
    told = run.fit_options(shown.lr)
    weights = write_tensors(writer.path / WEIGHTS_FILE, result.network.state_dict())
    splits, device = {role: run.material.splits[role] for role in ("train", "val")}, str(run.devices.device)
    classes = splits["train"].classes
    spec = trained_spec(".", told, classes=len(classes), class_names=classes.names)
    spec = dataclasses.replace(spec, sha256=file_digest([weights]), device=device)
    card = make_card(result, options=told, spec=spec, splits=splits, device=device, versions=library_versions(), notes=run.material.notes)
    card["repair"] = repair_of_card(
        candidates, chosen, target=target, labelled=labelled, material=run.material, replay=run.replay, options=options
    )
    write_atomically(writer.path / CARD, to_json(card).encode())
    write_atomically(writer.path / "card.md", f"{repair_text(card['repair'])}\n{card_text(card)}".encode())
    write_atomically(writer.path / "candidates.csv", candidates_csv(candidates, chosen, run.replay).encode())
    write_atomically(writer.path / "curves.csv", curves_csv(result.history).encode())
    write_atomically(writer.path / "curves.svg", curves_svg(result.history, best_epoch=result.best_epoch).encode())
    if chosen is None:
        reporter.say(f"no candidate qualified: the weights from before are kept. {'; '.join(one.why for one in candidates)}")
    counts = {role: len(split) for role, split in run.material.splits.items()} | {"candidates": len(candidates)}
    details = {name: card[name] for name in ("architecture", "sha256", "classes", "training", "figures", "repair")}
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, details=details)
