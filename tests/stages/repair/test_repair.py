"""The repair stage: what it writes, what it keeps and refuses, and that a stopped one ends with the same bytes."""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from safetensors.torch import load_file  # noqa: E402
from tests.models.fit.learnable import write_learnable  # noqa: E402
from tests.stages.repair.world import ARCHITECTURE, QUICK, TINY, label, quick, train_target  # noqa: E402
from tests.support import Watcher, run_program  # noqa: E402

from figureground import api, rounds  # noqa: E402
from figureground.core.errors import ArtifactError, InputError  # noqa: E402
from figureground.core.types import ClassTable  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.data.labelmap import encode_runs  # noqa: E402
from figureground.models.digest import file_digest  # noqa: E402
from figureground.runs.artifact import read_manifest  # noqa: E402
from figureground.stages.predict.options import PredictOptions  # noqa: E402
from figureground.stages.repair.card import KEYS  # noqa: E402

FILES = ("weights.safetensors", "card.json", "curves.csv", "candidates.csv")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Training data, a pool of other pictures, a network that learned little, and labels of the pool."""
    root = tmp_path_factory.mktemp("world")
    data = write_learnable(root / "data")
    pool = _pool(root / "pool")
    target = train_target(data, root / "net", size=16, epochs=3, batch=4, lr=0.02, augment="none")
    labels = label(pool, open_dataset(pool).ids, root / "labels")
    return {"root": root, "data": data, "pool": pool, "target": target, "labels": labels}


def _pool(folder: Path) -> str:
    """Pictures that no other set has: those of another size of the learnable set."""
    return write_learnable(folder, train=3, val=0, size=20)


@pytest.fixture(scope="module")
def repaired(world):
    return repair(world, world["root"] / "repaired")


def repair(world, out, *, labels=None, reporter=None, target=None, **given):
    chosen = quick(**{"rates": ("0.01", "0.03"), "epochs": 6, **given})
    return rounds.repair(
        target or world["target"], labels or [world["labels"]], data=world["data"], out=out, options=chosen, reporter=reporter
    )


def test_it_writes_weights_as_training_does_and_predict_opens_them(world, repaired, tmp_path):
    assert {p.name for p in repaired.path.iterdir()} == {*FILES, "card.md", "curves.svg", "manifest.json", "failures.json"}
    assert read_manifest(repaired.path, kind="weights").counts["labelled"] == 12
    assert repaired.card["sha256"] == file_digest([repaired.path / "weights.safetensors"])
    out = api.predict(
        f"{repaired.model}?architecture={ARCHITECTURE}", world["data"], out=tmp_path / "p", options=PredictOptions(split="val")
    )
    audit = api.audit(f"{world['data']}?split=val", str(out), out=tmp_path / "a").table("samples")
    total = {name: sum(audit[name].to_pylist()) for name in ("flipped", "foreground")}
    assert total["flipped"] / total["foreground"] == pytest.approx(repaired.card["figures"]["flipped"], abs=2e-3)


def test_the_card_says_from_what_with_what_and_what_changed(world, repaired):
    repair_ = repaired.card["repair"]
    assert tuple(repair_) == KEYS
    assert repair_["from"]["sha256"] == file_digest([world["root"] / "net" / "weights.safetensors"])
    assert repair_["labels"] == {str(world["labels"]): 12}
    assert (len(repair_["labelled"]["learned"]), len(repair_["labelled"]["held_out"])) == (10, 2)
    assert repair_["repaired"]
    before, after = (repair_["judged"][when]["miou"] for when in ("before", "after"))
    assert after > before
    assert repair_["validation"]["after"] == repaired.card["figures"]
    assert set(repair_["validation"]["before"]) >= {"miou", "correct", "flipped", "missed", "added"}
    rows = list(csv.DictReader(io.StringIO((repaired.path / "candidates.csv").read_text())))
    assert [float(row["lr"]) for row in rows] == [0.01, 0.03]
    kept = [row for row in rows if row["kept"] == "yes"]
    assert len(kept) == 1
    assert float(kept[0]["lr"]) == repair_["lr"]
    assert float(kept[0]["miou"]) == max(float(row["miou"]) for row in rows if row["best_epoch"] != "0"), "the validation decides"
    assert "repaired with 12 labelled samples" in repaired.sentence
    assert "# Repaired: net" in (repaired.path / "card.md").read_text()


def test_the_learning_rate_comes_down_over_the_true_number_of_steps(repaired):
    """The last step of the last epoch has the rate of the schedule's end: a schedule over more steps than there are never decays."""
    rows = list(csv.DictReader(io.StringIO((repaired.path / "curves.csv").read_text())))
    lr, steps = repaired.card["repair"]["lr"], int(rows[-1]["step"])
    assert steps == 6 * 5, "ten labelled and ten training samples an epoch in batches of four"
    assert float(rows[-1]["lr"]) == pytest.approx(lr * (1 / steps) ** 0.9)
    assert float(rows[0]["lr"]) == pytest.approx(lr * (1 - 4 / steps) ** 0.9)


@pytest.mark.slow
@pytest.mark.parametrize("given", [{"distil": 1.0, "augment": "light"}, {"mixing": "epoch", "replay": 5, "accumulate": 2}])
def test_a_stopped_repair_ends_with_the_same_bytes(world, tmp_path, given):
    """Stopped in mid-epoch of each candidate, and while the model before was asked: weights, card, curves and table are the same."""
    whole = repair(world, tmp_path / "whole", epochs=2, **given)
    stops, place = 0, tmp_path / "cut" / "whole"
    while True:
        try:
            cut = repair(world, place, epochs=2, checkpoint_every=1, reporter=Watcher(4), **given)
            break
        except KeyboardInterrupt:
            stops += 1
            assert not place.exists()
    assert stops > 2
    for name in FILES:
        first = (whole.path / name).read_text(errors="replace").replace('"checkpoint_every": 200', '"checkpoint_every": 1')
        assert first == (cut.path / name).read_text(errors="replace"), name


def test_the_same_command_does_nothing(world, repaired):
    before, told = (repaired.path / "manifest.json").read_bytes(), Watcher()
    repair(world, repaired.path, reporter=told, checkpoint_every=7)
    assert (repaired.path / "manifest.json").read_bytes() == before
    assert "nothing to do" in told.said[-1]


def test_what_forgets_too_much_is_not_kept_and_it_says_so(world, tmp_path):
    """With weights that may lose nothing and rates that wreck the network, those from before are kept, byte for byte."""
    found = repair(world, tmp_path / "w", rates=("3",), limit=0.0, share=1.0, epochs=2)
    assert found.card["repair"]["repaired"] is False
    assert (found.path / "weights.safetensors").read_bytes() == (world["root"] / "net" / "weights.safetensors").read_bytes()
    assert found.card["repair"]["validation"]["before"] == found.card["repair"]["validation"]["after"]
    assert "not repaired" in found.sentence
    assert "No candidate qualified" in (found.path / "card.md").read_text()


def test_kept_weights_lost_no_more_than_the_limit(world, repaired, tmp_path):
    """Of the epochs within the limit the one with the best mIoU on held-out samples is kept, and no other."""
    strict = repair(world, tmp_path / "w", limit=0.001, rates=("0.03",))
    rows = list(csv.DictReader(io.StringIO((strict.path / "curves.csv").read_text())))
    entry = strict.card["repair"]
    before, own = entry["validation"]["before"]["miou"], entry["judged"]["before"]["miou"]
    able = [row for row in rows if before - float(row["miou"]) <= 0.001 and float(row["labelled_miou"]) > own]
    best = max(able, key=lambda row: float(row["labelled_miou"]), default={"epoch": "0"})
    assert strict.card["training"]["best_epoch"] == int(best["epoch"])
    assert before - entry["validation"]["after"]["miou"] <= 0.001


@pytest.mark.slow
def test_frozen_stages_do_not_move_bit_for_bit_and_the_others_do(world, tmp_path):
    """Weights and running statistics of the first stages of an encoder, through a whole repair."""
    pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    tiny = "smp:unet/tu-tf_efficientnet_lite0?decoder_channels=16,16,8,8,8"
    target = train_target(world["data"], tmp_path / "net", architecture=tiny, size=32, epochs=1).partition("?")[0]
    found = repair(world, tmp_path / "w", target=target, freeze=2, epochs=1, rates=("0.05",), weight_decay=0.1, limit=1.0)
    assert found.card["repair"]["repaired"], "else nothing would have moved"
    before, after = (load_file(place / "weights.safetensors") for place in (tmp_path / "net", found.path))
    early = [name for name in before if name.startswith(("encoder.model.conv_stem", "encoder.model.bn1", "encoder.model.blocks.0"))]
    assert any("running_mean" in name for name in early)
    assert all(torch.equal(before[name], after[name]) for name in early)
    assert not torch.equal(before["encoder.model.blocks.3.0.conv_pw.weight"], after["encoder.model.blocks.3.0.conv_pw.weight"])
    with pytest.raises(InputError, match=r"`freeze` must be in \[0, 5\]"):
        repair(world, tmp_path / "x", target=target, freeze=6)


def test_several_labels_are_learned_together_and_the_last_word_counts(world, tmp_path):
    ids = open_dataset(world["pool"]).ids
    first = label(world["pool"], ids[:6], tmp_path / "one")
    second = label(
        world["pool"], ids[4:9], tmp_path / "two", change=lambda i, runs: encode_runs(np.where(runs.dense() > 0, 2, 0).astype(np.uint8))
    )
    told = Watcher()
    found = repair(world, tmp_path / "w", labels=[first, second], reporter=told, epochs=1)
    assert found.card["repair"]["labelled"]["samples"] == 9
    assert sum("was labelled again" in text for text in told.said) == 2


def test_void_is_never_learned_and_a_mask_of_nothing_else_is_skipped_and_told(world, tmp_path):
    """A mask that is partly void is learned from; one that is all void is no sample."""
    ids = open_dataset(world["pool"]).ids[:6]

    def partly(i, runs):
        dense = runs.dense().copy()
        dense[: 20 if i == ids[0] else 6] = 255
        return encode_runs(dense)

    told = Watcher()
    some = repair(world, tmp_path / "a", labels=[label(world["pool"], ids, tmp_path / "l", change=partly)], reporter=told, epochs=2)
    assert some.card["repair"]["labelled"]["samples"] == 5
    assert any(f"every pixel of their masks is void: '{ids[0]}'" in text for text in told.said)
    with pytest.raises(InputError, match=r"no labelled sample to learn from \(skipped.*'train000'"):
        repair(world, tmp_path / "b", labels=[label(world["pool"], ids[:1], tmp_path / "m", change=partly)])


def test_labels_of_other_classes_are_refused(world, tmp_path):
    others = ClassTable(names=("ground", "cat", "cow"))
    labels = label(world["pool"], open_dataset(world["pool"]).ids, tmp_path / "l", classes=others)
    with pytest.raises(InputError, match=r"its classes are ground, cat, cow, and those of .*net are ground, cat, dog"):
        repair(world, tmp_path / "w", labels=[labels])


def test_pictures_that_cannot_be_found_are_named(world, tmp_path):
    labels = label(world["pool"], open_dataset(world["pool"]).ids, tmp_path / "l", images=False)
    with pytest.raises(InputError, match=r"the picture of sample 'train000' cannot be found: the labels do not say where it is.*--pool"):
        repair(world, tmp_path / "w", labels=[labels])
    found = rounds.repair(world["target"], labels, data=world["data"], pool=world["pool"], out=tmp_path / "w", options=quick(epochs=1))
    assert found.card["repair"]["labelled"]["samples"] == 12


def test_a_validation_that_shares_pictures_with_the_labels_is_refused(world, tmp_path):
    """By content: the same picture under another name in another place is the same picture."""
    moved = shutil.copytree(world["data"], tmp_path / "moved")
    labels = label(str(moved), ["val001", "val002", "train000"], tmp_path / "l")
    with pytest.raises(InputError, match=r"2 validation samples have pictures that are also labelled: 'val001', 'val002'"):
        repair(world, tmp_path / "w", labels=[labels])
    with pytest.raises(InputError, match=r"8 validation samples have pictures that are also replayed"):
        rounds.repair(
            world["target"], [world["labels"]], data=world["data"], val=str(moved), out=tmp_path / "w", options=quick(train_split="")
        )
    assert not list(tmp_path.glob("w*"))


def test_a_training_picture_that_was_labelled_anew_is_not_replayed(world, tmp_path):
    told = Watcher()
    labels = label(world["data"], ["train000", "train003"], tmp_path / "l")
    found = repair(world, tmp_path / "w", labels=[labels], reporter=told, epochs=1)
    assert any("labelled anew, whose masks count no more: 'train000', 'train003'" in text for text in told.said)
    assert found.card["data"]["train"]["samples"] == 14


def test_one_that_diverges_is_dropped_and_all_that_do_are_an_error(world, tmp_path):
    """The step is said, the last good weights are kept, and nothing else is written."""
    breaking = shutil.copytree(world["root"] / "net", tmp_path / "net")
    state = {f"inner.{name}": tensor for name, tensor in load_file(breaking / "weights.safetensors").items()}
    from safetensors.torch import save_file

    save_file(state, breaking / "weights.safetensors")
    card = (breaking / "card.json").read_text()
    (breaking / "card.json").write_text(
        card.replace(file_digest([world["root"] / "net" / "weights.safetensors"]), file_digest([breaking / "weights.safetensors"]))
    )
    target = f"weights:{breaking}?architecture=python:{TINY}:breaking%3Fgood=3"
    with pytest.raises(
        InputError, match=r"every candidate diverged.*step 4, epoch 1, batch 4 of 5, learning rate 0.01: the loss is nan.*--rates 0.001"
    ):
        repair(world, tmp_path / "w", target=target)
    assert load_file(tmp_path / "w.rate-0.01.last-good.safetensors")
    assert not (tmp_path / "w").exists()


def test_what_cannot_be_a_target_or_labels_is_refused(world, tmp_path):
    with pytest.raises(InputError, match="cannot be read as a card of weights"):
        repair(world, tmp_path / "w", target=str(tmp_path))
    with pytest.raises(InputError, match=r"not run on the word of a file.*weights:.*\?architecture=python"):
        repair(world, tmp_path / "w", target=str(world["root"] / "net"))
    with pytest.raises(ArtifactError, match="no artifact is here"):
        repair(world, tmp_path / "w", labels=[tmp_path])
    waiting = label(world["pool"], open_dataset(world["pool"]).ids, tmp_path / "l", status="submitted")
    with pytest.raises(InputError, match=r"no labelled sample to learn from \(.*none of its 12 masks is accepted; --which all"):
        repair(world, tmp_path / "w", labels=[waiting])
    for rates, said in (((), "names no learning rate"), (("fast",), "got 'fast'"), (("0",), "got '0'")):
        with pytest.raises(InputError, match=said):
            repair(world, tmp_path / "w", rates=rates)
    assert not list(tmp_path.glob("w*"))


def test_the_verb_repairs_tells_and_refuses(world, tmp_path):
    flags = [
        "--labels",
        world["labels"],
        "--data",
        world["data"],
        "--out",
        tmp_path / "w",
        "--rates",
        "0.02",
        "--epochs",
        "2",
        "--device",
        "cpu",
    ]
    code, out, _ = run_program("repair", world["target"], *flags, "--json", "--limit", "1")
    assert code == 0
    assert '"repair"' in out
    code, _, err = run_program("repair", world["target"], *flags, "--out", tmp_path / "x", "--val-split", "dev")
    assert code == 2
    assert err.strip().splitlines()[-1].startswith("figureground: learnable has no split 'dev'")


def test_defaults_are_those_of_the_paper():
    options = dataclasses.replace(QUICK, **{f.name: f.default for f in dataclasses.fields(QUICK)})
    assert (options.optimizer, options.momentum, options.weight_decay, options.schedule) == ("sgd", 0.9, 5e-4, "polynomial")
    assert (options.batch, options.epochs, options.rates, options.limit) == (2, 80, ("1e-5", "5e-5", "1e-4"), 0.02)
