"""The meter: the same as counting everything at once, however it was fed, cut and merged."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from figureground.core.errors import InputError, StateError
from figureground.core.types import ClassTable
from figureground.data.labelmap import encode_runs
from figureground.metrics import meter
from figureground.metrics.decompose import decompose
from figureground.metrics.joint import joint_counts
from figureground.metrics.meter import Meter

LAW = settings(max_examples=30)


@st.composite
def batches(draw):
    n, side = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    truth = draw(arrays(np.uint8, (n, side, side), elements=st.sampled_from([0, 1, 2, 255])))
    return truth, draw(arrays(np.uint8, (n, side, side), elements=st.integers(0, 2)))


@LAW
@given(batches())
def test_a_meter_counts_as_if_all_came_at_once(batch):
    """One batch, one picture at a time, runs or arrays: the same result as the joint counts of everything."""
    truth, predicted = batch
    whole = decompose(joint_counts(truth, predicted, classes=3))
    single, runs = Meter(3), Meter(3)
    for t, p in zip(truth, predicted, strict=True):
        single.update(t, p)
        runs.update(encode_runs(t), encode_runs(p))
    assert Meter(3).update(truth, predicted).result().parts == single.result().parts == runs.result().parts == whole


@LAW
@given(batches(), batches(), batches())
def test_merging_is_associative_and_commutative(a, b, c):
    """In any order and grouping, with the empty state neutral; arguments stay as they were."""
    one, two, three = (meter.update(meter.empty(classes=3), *batch) for batch in (a, b, c))
    left, right = meter.merge(meter.merge(one, two), three), meter.merge(three, meter.merge(two, one))
    assert left.counts == right.counts == meter.merge(left, meter.empty(classes=3)).counts
    assert left.updates == right.updates == 3
    assert one.updates == 1


def test_by_hand():
    """Two pictures: rates, IoU per class, and the names a logger gets."""
    got = Meter(3).update([[0, 1], [1, 255]], [[0, 1], [2, 1]]).update([[2, 2]], [[2, 0]]).result()
    assert got.as_dict() == pytest.approx(
        {
            "correct": 0.5,
            "flipped": 0.25,
            "missed": 0.25,
            "added": 0,
            "conditional_flip": 1 / 3,
            "foreground_iou": 0.75,
            "miou": (1 / 2 + 1 / 2 + 1 / 3) / 3,
        }
    )
    np.testing.assert_allclose(got.iou, [1 / 2, 1 / 2, 1 / 3])


def test_classes_by_number_ids_or_table():
    """All three say the same; a table brings its own background and ignore."""
    table = ClassTable(names=("a", "b", "c"), ids=(3, 0, 9), background=9, ignore=None)
    by_table, by_ids = Meter(table), Meter([3, 0, 9], background=9, ignore=None)
    truth, predicted = [[3, 9, 0]], [[0, 9, 9]]
    assert by_table.update(truth, predicted).result().parts == by_ids.update(truth, predicted).result().parts
    assert by_table.result().ids == (3, 0, 9)


def test_merge_and_reset_of_the_class():
    """Merging takes in the other's counts, resetting forgets them."""
    a, b = Meter(3).update([1], [1]), Meter(3).update([1], [2])
    assert a.merge(b).result().parts.flipped_rate == 0.5
    with pytest.raises(StateError, match="update"):
        a.reset().result()


def test_nothing_seen_and_only_void_seen():
    """No update is an error, an update of void alone is undefined rates."""
    with pytest.raises(StateError, match="no label map"):
        Meter(3).result()
    got = Meter(3).update([[255]], [[1]]).result()
    assert all(math.isnan(rate) for rate in got.as_dict().values())


def test_bad_settings_and_maps_are_refused():
    """Background no class, ignore a class, other classes merged, unknown ids."""
    for bad in ({"background": 3}, {"ignore": 1}):
        with pytest.raises(InputError, match="`background` must be a class id"):
            Meter(3, **bad)
    with pytest.raises(InputError, match="merged only if"):
        Meter(3).merge(Meter(4))
    with pytest.raises(InputError, match="class id 7"):
        Meter(3).update([7], [1])


class TestTorchmetrics:
    """The wrapper gives what the meter gives."""

    @pytest.fixture(autouse=True)
    def _needs_torchmetrics(self):
        self.torch = pytest.importorskip("torch")
        pytest.importorskip("torchmetrics")

    def flip_meter(self, *args, **settings):
        from figureground.models.torchmetrics_meter import FlipMeter

        return FlipMeter(*args, **settings)

    def test_agrees_with_the_meter(self):
        """Same rates from the same batches, and after torchmetrics' own reduction of two replicas."""
        rng = np.random.default_rng(0)
        truth, predicted = rng.choice([0, 1, 2, 255], (6, 9, 7)), rng.choice([0, 1, 2], (6, 9, 7))
        ours, theirs = Meter(4), self.flip_meter(4)
        for t, p in zip(truth, predicted, strict=True):
            ours.update(t, p)
            theirs.update(self.torch.tensor(p), self.torch.tensor(t))
        got = {name: value.item() for name, value in theirs.compute().items()}
        assert got == pytest.approx(ours.result().as_dict())
        assert theirs.decomposition() == ours.result().parts
        halves = [self.flip_meter(4), self.flip_meter(4)]
        for half, part in zip(halves, (slice(0, 2), slice(2, 6)), strict=True):
            half.update(self.torch.tensor(predicted[part]), self.torch.tensor(truth[part]))
        halves[0].merge_state(halves[1])
        assert {name: value.item() for name, value in halves[0].compute().items()} == pytest.approx(got)

    def test_forward_reset_and_void(self):
        """`forward` gives the batch's own value; after a reset only void leaves NaN; background and ignore are settings."""
        metric = self.flip_meter(3, background=2, ignore=None)
        batch = self.torch.tensor([2, 0, 1, 1]), self.torch.tensor([2, 1, 1, 2])
        assert metric(*batch)["flipped"].item() == metric.compute()["flipped"].item() == 0.5
        metric = self.flip_meter(3)
        metric.update(self.torch.tensor([1]), self.torch.tensor([255]))
        assert all(value.isnan() for value in metric.compute().values())

    def test_bad_input_is_refused(self):
        """Other shapes, unknown ids, settings that clash."""
        metric = self.flip_meter(3)
        with pytest.raises(InputError, match="one shape"):
            metric.update(self.torch.zeros(2), self.torch.zeros(3))
        for predicted, truth in ((3, 0), (0, 4), (255, 0), (-1, 0)):
            with pytest.raises(InputError, match="class ids"):
                metric.update(self.torch.tensor([predicted]), self.torch.tensor([truth]))
        with pytest.raises(InputError, match="`background`"):
            self.flip_meter(3, ignore=2)
