"""Training data: what is read, and that batches are pure functions of seed, epoch and sample, whoever makes them."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from tests.models.fit.small_data import CLASSES, small_dataset

from figureground.core.errors import FormatError, InputError, StateError
from figureground.core.types import ClassTable
from figureground.data.dataset import open_dataset
from figureground.data.sources import maps_in_memory
from figureground.models.fit import loader
from figureground.models.fit.cache import PictureCache
from figureground.models.fit.data import IGNORE, Batch, Loader, batch_count, batches, train_data
from figureground.models.fit.loader import AHEAD, THREADS
from figureground.models.fit.options import FitOptions
from figureground.models.fit.samples import class_indices
from figureground.models.inputs import network_planes, plan_input
from figureground.models.predictor import PredictorSpec

WILD = FitOptions(batch=4, augment="label-flips", cutmix=0.7, seed=5)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("small"), unknown=2)


@pytest.fixture(scope="module")
def data(small):
    return train_data(small, size=32, norm="imagenet")


def by_sample(found: list[Batch]) -> dict[tuple[int, int], tuple[bytes, bytes]]:
    """Image and mask of each sample and turn, as bytes."""
    seen: dict[tuple[int, int], tuple[bytes, bytes]] = {}
    for batch in found:
        for index, image, mask in zip(batch.indices.tolist(), batch.images, batch.masks, strict=True):
            turn = sum(key[0] == index for key in seen)
            seen[index, turn] = (image.numpy().tobytes(), mask.numpy().tobytes())
    return seen


def same(one: list[Batch], other: list[Batch]) -> bool:
    names = ("images", "masks", "groups", "indices", "weights")
    return len(one) == len(other) and all(
        torch.equal(getattr(a, name), getattr(b, name)) for a, b in zip(one, other, strict=True) for name in names
    )


# What is read


def test_a_sample_is_read_at_the_size_of_the_network(small, data):
    """Bilinear with antialiasing as Pillow does it for the picture, the pixel under the centre for the mask, ids as indices, void as IGNORE."""
    for index in (0, 7):
        picture, mask = data.read(index)
        native = cv2.cvtColor(cv2.imread(small.samples[index].image), cv2.COLOR_BGR2RGB)
        assert np.array_equal(picture, np.asarray(Image.fromarray(native).resize((32, 32), Image.Resampling.BILINEAR)))
        ids = small.masks.read(small.samples[index].id).dense()
        nearest = np.asarray(Image.fromarray(ids).resize((32, 32), Image.Resampling.NEAREST))
        for class_id, number in ((3, 0), (7, 1), (90, 2), (0, IGNORE)):
            assert np.array_equal(mask == number, nearest == class_id)
        assert (mask == IGNORE).any()
        assert mask.dtype == picture.dtype == np.uint8


def test_inputs_are_those_of_predict(data, small):
    """The same picture through `predict`'s own preparation has the same bits, for a fixed size."""
    batch = next(batches(data, options=FitOptions(batch=3), epoch=0, train=False))
    spec = PredictorSpec(kind="x", where="x", classes=3, size_hw=(32, 32), mean=data.mean, std=data.std)
    for slot in range(len(batch)):
        native = cv2.cvtColor(cv2.imread(small.samples[slot].image), cv2.COLOR_BGR2RGB)
        assert np.array_equal(batch.images[slot].numpy(), network_planes(native, plan_input(native.shape[:2], spec), spec))


def test_groups_are_class_and_context_where_both_are_known(data):
    assert data.group_names == ("land, sea", "land, wood", "water, sea", "water, wood")
    assert data.groups.tolist() == [0] * 2 + [1] * 5 + [2] * 5 + [3] * 2 + [-1] * 2
    assert (data.labels[-1], data.contexts[-1], data.background) == ("land", "", 1)


def test_a_data_set_without_contexts_has_no_groups(small):
    plain = replace(small, samples=tuple(replace(s, attributes={}) for s in small.samples), context_attribute=None)
    found = train_data(plain, size=16, norm="half")
    assert (found.groups == -1).all()
    assert found.group_names == ()
    assert found.mean == (0.5, 0.5, 0.5)


def test_native_pictures_are_padded_to_the_largest_and_to_the_stride(tmp_path):
    """Padding lies at the bottom and the right: 0 in the normalised picture, IGNORE in the mask."""
    found = train_data(small_dataset(tmp_path, sizes=((23, 31), (40, 17))), size=0, norm="imagenet", stride_px=8)
    batch = next(batches(found, options=FitOptions(batch=2), epoch=0, train=False))
    assert batch.images.shape == (2, 3, 40, 32)
    assert batch.masks.shape == (2, 40, 32)
    assert (batch.masks[0, 23:] == IGNORE).all()
    assert (batch.masks[0, :, 31:] == IGNORE).all()
    assert not batch.images[0, :, 23:].any()
    assert not batch.images[0, :, :, 31:].any()
    assert np.array_equal(batch.masks[1, :, :17].numpy(), found.read(1)[1])
    train = list(batches(found, options=replace(WILD, batch=3, cutmix=1.0), epoch=0, train=True))
    assert {tuple(b.images.shape[2:]) for b in train} <= {(24, 32), (40, 32), (40, 24)}


def test_class_ids_become_indices():
    table = ClassTable(names=("a", "b", "c"), ids=(0, 300, 65_000), ignore=7)
    label_map = np.array([[0, 300], [65_000, 7]], np.uint16)
    assert class_indices(label_map, table).tolist() == [[0, 1], [2, IGNORE]]
    with pytest.raises(FormatError, match=r"sample 'x'.*holds 5") as caught:
        class_indices(np.array([[0, 5]], np.uint8), table, sample="x")
    assert caught.value.fault.code == "unknown-class-id"
    with pytest.raises(FormatError, match="holds 255"):
        class_indices(np.array([[255]], np.uint8), ClassTable(names=("a",), ignore=None))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: replace(d, masks=None), "learns from masks"),
        (lambda d: replace(d, samples=()), "no samples"),
        (lambda d: replace(d, classes=ClassTable(names=tuple(map(str, range(256))), ignore=None)), "at most 255 classes"),
        (lambda d: replace(d, samples=(replace(d.samples[0], image=None), *d.samples[1:])), "'s000' name no picture"),
    ],
)
def test_data_that_cannot_be_trained_on(small, change, words):
    with pytest.raises((InputError, FormatError), match=words):
        train_data(change(small), size=32, norm="imagenet")


def test_an_unknown_norm_is_refused(small):
    with pytest.raises(InputError, match="imagenet, half, none"):
        train_data(small, size=32, norm="zscore")


def test_a_mask_of_another_size_than_its_picture_is_refused(small):
    maps = {s.id: np.full((5, 6), 7, np.uint8) for s in small.samples}
    found = train_data(replace(small, masks=maps_in_memory(maps, CLASSES)), size=32, norm="none")
    with pytest.raises(FormatError, match="5 px high and 6 px wide and its picture 23 px high"):
        found.read(0)


def test_real_data_has_its_classes(real_data):
    found = train_data(open_dataset(str(real_data / "animals4")), size=64, norm="none")
    picture, mask = found.read(0)
    assert picture.shape == (64, 64, 3)
    assert found.classes.names.index(found.labels[0]) in set(np.unique(mask).tolist())


# What an epoch is


def test_validation_shows_each_sample_once_in_order_as_it_is(data):
    """No augmentation, CutMix, balance or weight reaches validation, whatever the options say; the epoch's number says nothing."""
    found = list(batches(data, options=replace(WILD, balance="weight"), epoch=0, train=False))
    assert torch.cat([b.indices for b in found]).tolist() == list(range(len(data)))
    assert all((b.weights == 1).all() for b in found)
    assert np.array_equal(np.concatenate([b.masks.numpy() for b in found]), np.stack([data.read(i)[1] for i in range(len(data))]))
    assert same(found, list(batches(data, options=WILD, epoch=9, train=False)))


def test_batches_have_the_types_that_are_promised(data):
    batch = next(batches(data, options=WILD, epoch=0, train=True))
    assert batch.images.dtype == batch.weights.dtype == torch.float32
    assert batch.masks.dtype == batch.groups.dtype == batch.indices.dtype == torch.int64
    assert batch.images.shape == (4, 3, 32, 32)
    assert batch.masks.shape == (4, 32, 32)
    assert len(batch) == 4
    assert torch.equal(batch.groups, torch.from_numpy(data.groups)[batch.indices])
    assert same([batch.to("cpu")], [batch])


def test_a_sample_looks_the_same_whatever_the_batch_size(data):
    """In the same epoch a sample gets the same augmentation in batches of 1, 4 and all."""
    found = [by_sample(list(batches(data, options=replace(WILD, batch=size), epoch=2, train=True))) for size in (1, 4, 16)]
    assert len(found[0]) == len(data)
    assert found[0] == found[1] == found[2]


def test_epochs_seeds_and_samples_differ(data, small):
    """No picture is augmented as in another epoch or with another seed; copies of one picture under two ids differ in the same epoch."""
    first = by_sample(list(batches(data, options=WILD, epoch=0, train=True)))
    later = by_sample(list(batches(data, options=WILD, epoch=1, train=True)))
    other = by_sample(list(batches(data, options=replace(WILD, seed=6), epoch=0, train=True)))
    assert all(first[key][0] not in (later[key][0], other[key][0]) for key in first)
    copies = replace(small, samples=tuple(replace(small.samples[0], id=f"s{n:03d}") for n in range(16)))
    alike = by_sample(list(batches(train_data(copies, size=32, norm="none"), options=WILD, epoch=0, train=True)))
    assert len({image for image, _ in alike.values()}) == 16


def test_repeated_draws_of_a_sample_differ(data):
    """Balanced sampling shows rare samples several times an epoch, each time otherwise augmented."""
    found = by_sample(list(batches(data, options=replace(WILD, balance="sample"), epoch=0, train=True)))
    assert all((b.weights == 1).all() for b in batches(data, options=replace(WILD, balance="sample"), epoch=0, train=True))
    repeated = [key for key in found if key[1] > 0]
    assert repeated
    assert all(found[key] != found[key[0], 0] for key in repeated)
    assert len(found) == len(data)


@pytest.mark.parametrize("start", [0, 1, 3, 4])
def test_a_resumed_epoch_goes_on_with_the_same_batches(data, start):
    whole = list(batches(data, options=WILD, epoch=3, train=True))
    assert len(whole) == batch_count(data, WILD) == 4
    assert same(list(batches(data, options=WILD, epoch=3, start=start, train=True)), whole[start:])


def test_cutmix_leaves_augmentation_as_it_was(data):
    """Masks with and without CutMix are the same: the crop and flip of a sample do not depend on whether CutMix is on."""
    with_mix = by_sample(list(batches(data, options=WILD, epoch=0, train=True)))
    without = by_sample(list(batches(data, options=replace(WILD, cutmix=0.0), epoch=0, train=True)))
    assert all(with_mix[key][1] == without[key][1] for key in with_mix)
    changed = sum(with_mix[key][0] != without[key][0] for key in with_mix)
    assert 5 <= changed < 16


def test_cutmix_brings_ground_of_the_same_class_from_another_context(small, tmp_path):
    """Pictures painted with the number of their group: a mixed picture has its own number and one more, of its class's other context."""
    painted = []
    for number, s in enumerate(small.samples):
        value = 40 * (train_data(small, size=0, norm="none").groups[number] + 2)
        file = tmp_path / f"{s.id}.png"
        assert cv2.imwrite(str(file), np.full((23, 31, 3), value, np.uint8))
        painted.append(replace(s, image=str(file)))
    found = train_data(replace(small, samples=tuple(painted)), size=32, norm="none")
    options = replace(WILD, augment="none", cutmix=1.0)
    for epoch in range(3):
        for batch in batches(found, options=options, epoch=epoch, train=True):
            for image, group in zip((batch.images * 255).round().to(torch.int64), batch.groups.tolist(), strict=True):
                if group >= 0:
                    assert set(image.unique().tolist()) <= {40 * (group + 2), 40 * ((group ^ 1) + 2)}


def test_weights_even_out_groups(data):
    found = list(batches(data, options=replace(WILD, balance="weight"), epoch=0, train=True))
    weights, groups = torch.cat([b.weights for b in found]), torch.cat([b.groups for b in found])
    assert float(weights.mean()) == pytest.approx(1)
    assert [float(weights[groups == g].sum()) for g in range(4)] == pytest.approx([3.5] * 4)
    assert (weights[groups == -1] == 1).all()


@pytest.mark.parametrize("balance", ["sample", "weight"])
def test_balance_without_groups_is_refused(small, balance):
    plain = train_data(replace(small, samples=tuple(replace(s, label=None) for s in small.samples)), size=32, norm="none")
    with pytest.raises(InputError, match="needs groups"):
        next(batches(plain, options=replace(WILD, balance=balance), epoch=0, train=True))
    assert len(list(batches(plain, options=replace(WILD, balance=balance), epoch=0, train=False))) == 4


@pytest.mark.parametrize(("epoch", "start"), [(-1, 0), (0, -1), (0, 5)])
def test_an_epoch_or_start_that_is_not_there_is_refused(data, epoch, start):
    with pytest.raises(InputError, match="must be at least 0"):
        next(batches(data, options=WILD, epoch=epoch, start=start, train=True))


def test_global_generators_are_not_moved(data):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is what is looked at
    list(batches(data, options=WILD, epoch=0, train=True))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


# Who makes them


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_processes_make_the_same_batches(data, workers):
    """Real loader processes, over two epochs and after a resume, give the bits that threads give; no two samples share their changes."""
    options = replace(WILD, batch=2, workers=workers)
    with Loader(data, options=options, train=True) as loader:
        for epoch, start in ((0, 0), (1, 3), (0, 2)):
            assert same(
                list(loader.epoch(epoch, start=start)),
                list(batches(data, options=replace(options, workers=0), epoch=epoch, start=start, train=True)),
            )


@pytest.mark.slow
def test_processes_do_not_repeat_one_anothers_draws(small):
    """The known fault: every process draws the same numbers. Sixteen copies of one picture, one a batch, come out in sixteen ways."""
    copies = replace(small, samples=tuple(replace(small.samples[0], id=f"s{n:03d}") for n in range(16)))
    options = replace(WILD, batch=1, workers=4, cutmix=1.0)
    with Loader(train_data(copies, size=32, norm="none"), options=options, train=True) as loader:
        seen = [by_sample(list(loader.epoch(epoch))) for epoch in (0, 1)]
    assert len({image for epoch in seen for image, _ in epoch.values()}) == 32


@pytest.mark.slow
def test_a_fault_in_a_process_arrives_as_itself_and_at_its_turn(tmp_path):
    """The third picture is damaged: with batches of one, two arrive, then the same FormatError that a thread raises."""
    broken = small_dataset(tmp_path)
    (tmp_path / "small_002.png").write_bytes(b"no picture")
    for workers in (0, 1):
        found = []
        with (
            Loader(train_data(broken, size=32, norm="none"), options=FitOptions(batch=1, workers=workers), train=False) as loader,
            pytest.raises(FormatError, match="s002") as caught,
        ):
            found.extend(loader.epoch(0))  # extend keeps what came before the error
        assert caught.value.fault.code == "unreadable-picture"


@pytest.mark.slow
def test_a_process_that_is_killed_is_one_clear_error(data):
    with Loader(data, options=replace(WILD, batch=1, workers=1), train=True) as loader:
        found = loader.epoch(0)
        next(found)
        for process in list(loader._processes._processes.values()):
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(StateError, match="fewer --workers"):
            list(found)
        with pytest.raises(StateError, match="fewer --workers"):
            list(loader.epoch(1))


def test_a_fault_comes_at_its_turn(tmp_path):
    broken = small_dataset(tmp_path)
    (tmp_path / "small_002.png").unlink()
    found = batches(train_data(broken, size=32, norm="none"), options=FitOptions(batch=1), epoch=0, train=False)
    assert [next(found).indices.tolist() for _ in range(2)] == [[0], [1]]
    with pytest.raises(FormatError, match="s002"):
        next(found)


def test_loader_threads_compute_without_helpers_and_leave_other_threads_alone(data, monkeypatch):
    """Two teams of threads on the same cores hold one another up; new threads of the process keep torch's number."""
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    real = loader.changed
    monkeypatch.setattr(loader, "changed", lambda *args, **how: (seen.append(torch.get_num_threads()), real(*args, **how))[1])
    try:
        with Loader(data, options=FitOptions(batch=2, augment="label-flips"), train=True) as batches:
            assert len(list(batches.epoch(0))) > 2
        with ThreadPoolExecutor(1) as other:
            after = torch.get_num_threads(), other.submit(torch.get_num_threads).result()
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}
    assert after == (2, 2)


def test_a_loader_left_early_leaves_no_thread(data):
    before = threading.active_count()
    found = batches(data, options=WILD, epoch=0, train=True)
    next(found)
    assert threading.active_count() > before
    found.close()
    assert threading.active_count() == before


def test_few_batches_are_made_ahead(data, monkeypatch):
    """Taking one batch of sixteen makes that one, one for each thread and those that may wait, however long the network takes."""
    made = []
    original = type(data).read
    monkeypatch.setattr(type(data), "read", lambda self, index: made.append(index) or original(self, index))
    with Loader(data, options=FitOptions(batch=1, augment="none"), train=False) as loader:
        assert len(loader) == 16
        found = loader.epoch(0)
        next(found)
        last = time.monotonic() + 20
        while len(made) < 1 + THREADS + AHEAD and time.monotonic() < last:
            time.sleep(0.01)
        time.sleep(0.2)  # long enough to make the others, were they asked for
        found.close()
    assert len(made) == 1 + THREADS + AHEAD


# What is kept


def test_pictures_are_decoded_once(data, monkeypatch):
    found = replace(data, cache=PictureCache())
    calls = []
    original = type(data)._decoded
    monkeypatch.setattr(type(data), "_decoded", lambda self, index: calls.append(index) or original(self, index))
    for epoch in range(3):
        list(batches(found, options=FitOptions(batch=4, augment="light"), epoch=epoch, train=True))
    assert sorted(calls) == list(range(len(data)))


def test_what_is_kept_cannot_be_written(data):
    for array in data.read(0):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_the_cache_stops_at_its_limit_and_starts_empty_elsewhere():
    cache = PictureCache(limit_bytes=130)
    pairs = [(np.zeros((3, 5, 3), np.uint8), np.zeros((3, 5), np.uint8)) for _ in range(3)]  # 60 bytes each
    for index in (0, 0, 1, 2):  # two threads may bring the same sample: it counts once
        assert cache.keep(index, pairs[index]) is pairs[index]
    assert len(cache) == 2
    assert cache.find(0) is pairs[0]
    assert cache.find(1) is pairs[1]
    assert cache.find(2) is None
    copy = pickle.loads(pickle.dumps(cache))
    assert (len(copy), copy.limit_bytes) == (0, 130)


def test_batches_are_the_same_without_a_cache(data):
    uncached = replace(data, cache=PictureCache(0))
    assert same(
        list(batches(uncached, options=WILD, epoch=1, train=True)),
        list(batches(data, options=WILD, epoch=1, train=True)),
    )
    assert len(uncached.cache) == 0
