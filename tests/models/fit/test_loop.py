"""The loop: a run repeats and resumes bit for bit, keeps its best weights, stops early, and stops where the loss is no number."""

from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from tests.models.fit.learnable import TINY, write_learnable
from tests.support import Watcher

from figureground.core.errors import InputError
from figureground.data.dataset import open_dataset
from figureground.models.fit import checkpoint, loop
from figureground.models.fit.data import train_data
from figureground.models.fit.loop import FitResult, fit
from figureground.models.fit.networks import network_to_train
from figureground.models.fit.options import FitOptions, make_fit_options
from figureground.models.torch_network import find_device

BASE = {"architecture": f"python:{TINY}:tiny", "size": 16, "batch": 5, "epochs": 3, "lr": 0.01, "norm": "half", "device": "cpu"}


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    data = open_dataset(write_learnable(tmp_path_factory.mktemp("learnable"), void=True))
    return {name: data.select(split=name) for name in ("train", "val")}


def run(splits, folder, *, validated=True, loggers=(), reporter=None, **given) -> FitResult:
    options = FitOptions(**{**BASE, **given})
    data = {name: train_data(split, size=options.size, norm=options.norm) for name, split in splits.items()}
    network, _ = network_to_train(options, classes=3)
    val = data["val"] if validated else None
    return fit(network, train=data["train"], val=val, options=options, state_dir=folder, loggers=loggers, reporter=reporter)


def same(a: FitResult, b: FitResult) -> bool:
    """Weights bit for bit, and the whole history."""
    left, right = a.network.state_dict(), b.network.state_dict()
    assert left.keys() == right.keys()
    equal = all(torch.equal(tensor, right[name]) for name, tensor in left.items())
    return equal and json.dumps([e.row() for e in a.history]) == json.dumps([e.row() for e in b.history])


class Heard:
    """A logger and reporter that remembers."""

    def __init__(self) -> None:
        self.said, self.logged, self.closed = [], [], False

    def say(self, text):
        self.said.append(text)

    def track(self, what, *, total, unit, done=0):
        self.total, self.done = total, done
        return Watcher()

    def log(self, step, values):
        self.logged.append((step, dict(values)))

    def close(self):
        self.closed = True


def test_a_network_learns_what_there_is_to_learn(splits, tmp_path):
    result = run(splits, tmp_path, epochs=25, augment="none", lr=0.02)
    assert result.figures.foreground_iou > 0.7
    assert result.figures.correct > 0.7
    assert result.history[-1].train_loss < result.history[0].train_loss / 2
    assert not result.network.training


def test_the_same_arguments_give_the_same_weights_bit_for_bit_and_another_seed_does_not(splits, tmp_path):
    dropout = f"python:{TINY}:tiny?dropout=0.3"
    first = run(splits, tmp_path / "a", architecture=dropout, augment="label-flips")
    torch.manual_seed(99)  # what the caller did with torch's generator must not matter
    torch.rand(5)
    state = torch.random.get_rng_state()
    second = run(splits, tmp_path / "b", architecture=dropout, augment="label-flips")
    assert same(first, second)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not same(first, run(splits, tmp_path / "c", architecture=dropout, augment="label-flips", seed=1))


@pytest.mark.parametrize(
    "given",
    [
        {"objective": "group-dro", "dro_step": 0.5, "architecture": f"python:{TINY}:tiny?dropout=0.3"},
        {"objective": "group-dro", "dro_step": 0.5, "accumulate": 3},
        {"accumulate": 2, "optimizer": "adam", "schedule": "polynomial", "warmup": 0.5, "balance": "weight", "clip": 0.5},
        {"optimizer": "sgd", "precision": "bf16", "balance": "sample", "patience": 2},
    ],
)
@pytest.mark.parametrize("stop", [1, 3, 4, 6])
def test_a_stopped_run_goes_on_without_a_jump(splits, tmp_path, given, stop):
    """Stopped in mid-epoch, at its end and in the next: weights, group weights, momentum and curves end bit-equal to an unbroken run."""
    whole = run(splits, tmp_path / "whole", **given)
    with pytest.raises(KeyboardInterrupt):
        run(splits, tmp_path / "cut", reporter=Watcher(stop), checkpoint_every=1, **given)
    assert same(whole, run(splits, tmp_path / "cut", checkpoint_every=7, **given))


def test_a_run_that_is_stopped_again_and_again_ends_where_an_unbroken_one_does(splits, tmp_path):
    whole, stops = run(splits, tmp_path / "whole"), 0
    while True:
        try:
            result = run(splits, tmp_path / "cut", checkpoint_every=2, reporter=Watcher(3))
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops > 2
    assert same(whole, result)


def test_a_resumed_run_does_not_repeat_what_is_done(splits, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(splits, tmp_path, checkpoint_every=1, reporter=Watcher(6))
    heard = Heard()
    run(splits, tmp_path, reporter=heard, loggers=[heard])
    # 16 training samples in batches of 5 are 4 an epoch; the sixth batch was begun to be told of and not yet saved
    assert (heard.total, heard.done) == (12, 5)
    assert "going on in epoch 2 behind batch 1 of 4" in heard.said[0]
    assert [step for step, _ in heard.logged] == [8, 12]


def test_the_weights_are_those_of_the_best_epoch_and_the_figures_are_theirs(splits, tmp_path):
    """The best epoch is three before the last, and its weights come back: their figures are its, not those of the last."""
    best = run(splits, tmp_path, epochs=40, lr=0.3, schedule="constant", augment="none", patience=3, optimizer="sgd")
    losses = [line.figures["loss"] for line in best.history]
    assert best.best_epoch == 1 + losses.index(min(losses))
    assert best.best_epoch < len(losses)
    assert best.figures.loss == pytest.approx(min(losses), rel=1e-6)
    assert best.figures.figures() == pytest.approx(best.history[best.best_epoch - 1].figures, nan_ok=True)


def test_patience_counts_epochs_without_a_better_figure(splits, tmp_path):
    result = run(splits, tmp_path, epochs=40, lr=0.3, schedule="constant", augment="none", patience=3, optimizer="sgd")
    assert result.stopped_early
    assert len(result.history) == result.best_epoch + 3


def test_a_figure_that_should_rise_is_followed_upwards(splits, tmp_path):
    result = run(splits, tmp_path, epochs=6, monitor="foreground_iou", augment="none", lr=0.02)
    values = [line.figures["foreground_iou"] for line in result.history]
    assert result.best_epoch == 1 + values.index(max(values))
    assert max(values) > values[0]


def test_without_validation_the_last_weights_stay(splits, tmp_path):
    result = run(splits, tmp_path, validated=False)
    assert (result.best_epoch, result.figures, result.stopped_early) == (3, None, False)
    assert all(math.isnan(line.row()["loss"]) for line in result.history)


def test_a_loss_that_is_no_number_stops_the_run_and_the_last_good_weights_are_kept(splits, tmp_path):
    with pytest.raises(
        InputError, match=r"step 6, epoch 2, batch 2 of 4, learning rate 0.01: the loss is nan.*--lr 0.001, --clip 1"
    ) as error:
        run(splits, tmp_path, architecture=f"python:{TINY}:breaking?good=5")
    kept = load_file(tmp_path / checkpoint.LAST_GOOD)
    assert str(tmp_path / checkpoint.LAST_GOOD) in str(error.value)
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())
    # they are the weights after five good steps, which an unbroken network of the same seed has too
    with pytest.raises(KeyboardInterrupt):
        run(splits, tmp_path / "five", architecture=f"python:{TINY}:breaking?good=1000", checkpoint_every=1, reporter=Watcher(6))
    after_five = torch.load(tmp_path / "five" / checkpoint.STATE, weights_only=True)["network"]
    assert all(torch.equal(tensor, after_five[name]) for name, tensor in kept.items())


def test_weights_that_the_last_step_of_an_epoch_broke_are_no_result(splits, tmp_path):
    """Logits that are no numbers are background by argmax, which a limit to forgetting may allow: the loss tells."""
    with pytest.raises(InputError, match=r"after epoch 1, learning rate 0.01: the loss on the validation samples is nan. Try --lr 0.001"):
        run(splits, tmp_path, architecture=f"python:{TINY}:broken_at_the_end")


def test_last_good_weights_never_replace_a_file(tmp_path):
    """The same weights again are the same file; others, and a file of somebody else, stay beside the new one."""
    one, other = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    place = tmp_path / "net.last-good.safetensors"
    place.write_text("notes of a person")
    assert checkpoint.keep_last_good(place, one).name == "net.last-good-2.safetensors"
    assert checkpoint.keep_last_good(place, one).name == "net.last-good-2.safetensors"
    assert checkpoint.keep_last_good(place, other).name == "net.last-good-3.safetensors"
    assert place.read_text() == "notes of a person"
    assert torch.equal(load_file(tmp_path / "net.last-good-2.safetensors")["w"], one["w"])


def test_a_full_disk_is_one_clear_error_and_the_older_state_stays(splits, tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        run(splits, tmp_path, checkpoint_every=2, reporter=Watcher(3))
    before = (tmp_path / checkpoint.STATE).read_bytes()

    def full(content, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(InputError, match=r"state.pt: cannot be written \(No space left on device\)"):
        run(splits, tmp_path, checkpoint_every=1)
    assert (tmp_path / checkpoint.STATE).read_bytes() == before
    assert not list(tmp_path.glob(".*tmp"))


def test_a_state_of_other_options_or_a_damaged_one_is_refused(splits, tmp_path):
    run(splits, tmp_path, epochs=1)
    with pytest.raises(InputError, match="other options or data"):
        run(splits, tmp_path, epochs=2)
    (tmp_path / checkpoint.STATE).write_bytes((tmp_path / checkpoint.STATE).read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read"):
        run(splits, tmp_path, epochs=1)


def test_a_run_goes_on_under_another_name_of_the_same_device(splits, tmp_path):
    """Begun on what the machine was asked to choose, gone on with on the same device by its name: one training."""
    name = find_device("auto").type
    whole = run(splits, tmp_path / "whole", device=name)
    with pytest.raises(KeyboardInterrupt):
        run(splits, tmp_path / "cut", device="auto", checkpoint_every=2, reporter=Watcher(6))
    assert same(whole, run(splits, tmp_path / "cut", device=name))


def test_a_state_of_another_kind_of_device_is_refused(splits, tmp_path):
    """Another kind of device computes other numbers."""
    run(splits, tmp_path, epochs=1)
    state = torch.load(tmp_path / checkpoint.STATE, weights_only=True)
    assert '"device": "cpu"' in state["identity"]
    torch.save({**state, "identity": state["identity"].replace('"device": "cpu"', '"device": "cuda"')}, tmp_path / checkpoint.STATE)
    with pytest.raises(InputError, match="other options or data"):
        run(splits, tmp_path, epochs=1)


def test_a_finished_run_is_not_trained_again(splits, tmp_path):
    first = run(splits, tmp_path)
    heard = Heard()
    assert same(first, run(splits, tmp_path, reporter=heard))
    assert heard.done == heard.total
    assert heard.said == ["every epoch was trained before; what is left is to write the weights"]


def test_contradictions_are_refused_before_anything_is_trained(splits, tmp_path):
    with pytest.raises(InputError, match="`patience` needs a validation"):
        run(splits, tmp_path, validated=False, patience=3)
    data = train_data(splits["val"], size=16, norm="half")
    loop.check_fit(data, data, FitOptions(monitor="worst_group_flipped"))
    data.groups[:] = -1
    with pytest.raises(InputError, match="worst_group_flipped needs"):
        loop.check_fit(data, data, FitOptions(monitor="worst_group_flipped"))


def test_another_number_of_channels_is_refused_in_words(splits, tmp_path):
    options = FitOptions(**BASE)
    network, _ = network_to_train(options, classes=2)
    data = train_data(splits["train"], size=16, norm="half")
    with pytest.raises(InputError, match="2 channels"):
        fit(network, train=data, val=None, options=options, state_dir=tmp_path)


@pytest.mark.slow
def test_loader_processes_change_no_number(splits, tmp_path):
    given = {"augment": "label-flips", "cutmix": 0.5}
    assert same(run(splits, tmp_path / "a", **given), run(splits, tmp_path / "b", workers=2, **given))


def test_the_preset_is_the_recipe_and_flags_win_over_it():
    preset = make_fit_options({"preset": "label-flips"})
    assert (preset.architecture, preset.size, preset.norm, preset.optimizer, preset.lr) == ("smp:unet/resnet50", 512, "none", "adam", 1e-4)
    assert (preset.batch, preset.epochs, preset.patience, preset.monitor, preset.augment) == (8, 200, 25, "loss", "label-flips")
    assert (preset.weight_decay, preset.schedule, preset.clip, preset.cutmix, preset.objective) == (0, "constant", 0, 0, "ce")
    other = make_fit_options({"preset": "label-flips", "epochs": 5}, {"architecture": "smp:unet/mit_b2", "epochs": 7})
    assert (other.architecture, other.epochs, other.lr) == ("smp:unet/mit_b2", 7, 1e-4)
    with pytest.raises(InputError, match="`preset` must be one of label-flips"):
        make_fit_options({"preset": "label_flips"})
    with pytest.raises(InputError, match="Did you mean `epochs`"):
        make_fit_options({"preset": "label-flips", "epoch": 3})


def test_the_validation_loss_of_group_dro_is_plain_cross_entropy(splits, tmp_path):
    """Group weights move from epoch to epoch; a loss that moved with them could not say which epoch is best."""
    found = {name: run(splits, tmp_path / name, objective=name, lr=1e-12, epochs=2, dro_step=5.0) for name in ("ce", "group-dro")}
    losses = {name: [epoch.figures["loss"] for epoch in result.history] for name, result in found.items()}
    assert losses["group-dro"] == pytest.approx(losses["ce"], rel=1e-6)
