"""Each line of docs/ideas/agreement.md: where four libraries give one number, and where they do not."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from figureground.metrics.decompose import decompose
from figureground.metrics.joint import joint_counts
from figureground.metrics.overlap import counts_by_class, overlap
from figureground.metrics.risk import reduce_logits
from figureground.metrics.selective import auroc

CLASSES = 4
RNG = np.random.default_rng(11)


def maps(*, absent: bool) -> tuple[np.ndarray, np.ndarray]:
    """Five pictures; with `absent`, class 3 occurs nowhere and class 2 not in the first picture."""
    truth = RNG.integers(0, CLASSES, (5, 12, 9))
    predicted = np.where(RNG.random(truth.shape) < 0.6, truth, RNG.integers(0, CLASSES, truth.shape))
    if absent:
        for labels in (truth, predicted):
            labels[labels == 3] = 1
            labels[0][labels[0] == 2] = 0
    return truth, predicted


FULL, SPARSE = maps(absent=False), maps(absent=True)
VOID = FULL[0].copy()
VOID[:, :2] = 255


def ours(pair, score="iou", reduction="macro") -> np.ndarray:
    counts = [joint_counts(t, p, classes=CLASSES) for t, p in zip(*pair, strict=True)]
    return overlap(counts_by_class(counts, ids=range(CLASSES)), score=score, reduction=reduction)


class TestScikitLearn:
    """scikit-learn on flattened maps."""

    sk = pytest.importorskip("sklearn.metrics")

    def flat(self, pair):
        return pair[0].ravel(), pair[1].ravel()

    def test_same_where_every_class_occurs(self):
        """IoU and Dice by class, macro and micro; accuracy; confusion matrix."""
        truth, predicted = self.flat(FULL)
        for score, theirs in (("iou", self.sk.jaccard_score), ("dice", self.sk.f1_score), ("accuracy", self.sk.recall_score)):
            np.testing.assert_allclose(ours(FULL, score, "none"), theirs(truth, predicted, average=None))
            for reduction in ("macro", "micro"):
                assert ours(FULL, score, reduction) == pytest.approx(theirs(truth, predicted, average=reduction))
        assert ours(FULL, "accuracy", "micro") == pytest.approx(self.sk.accuracy_score(truth, predicted))
        assert ours(FULL, "accuracy", "macro") == pytest.approx(self.sk.balanced_accuracy_score(truth, predicted))
        counts = joint_counts(truth, predicted, classes=CLASSES)
        np.testing.assert_array_equal(counts.matrix(range(CLASSES)), self.sk.confusion_matrix(truth, predicted))

    def test_absent_class_counts_as_0_there(self):
        """Asked for all labels, scikit-learn scores an absent class 0 and warns; here it is NaN and left out."""
        truth, predicted = self.flat(SPARSE)
        with pytest.warns(UserWarning, match="ill-defined"):
            theirs = self.sk.jaccard_score(truth, predicted, average=None, labels=range(CLASSES))
        np.testing.assert_allclose(theirs, np.nan_to_num(ours(SPARSE, "iou", "none")))
        assert math.isnan(ours(SPARSE, "iou", "none")[3])
        mean = self.sk.jaccard_score(truth, predicted, average="macro", labels=range(CLASSES), zero_division=0)
        assert mean == pytest.approx(ours(SPARSE) * 3 / 4)

    def test_labels_left_to_it_agree(self):
        """With only the labels that occur, it leaves the absent class out as well."""
        assert self.sk.jaccard_score(*self.flat(SPARSE), average="macro") == pytest.approx(ours(SPARSE))

    def test_void_must_be_taken_out_first(self):
        """There is no ignore label: filtered pixels agree, unfiltered ones make void a class."""
        keep = VOID != 255
        assert self.sk.jaccard_score(VOID[keep], FULL[1][keep], average="macro") == pytest.approx(ours((VOID, FULL[1])))
        unfiltered = self.sk.jaccard_score(VOID.ravel(), FULL[1].ravel(), average=None, zero_division=0)
        assert unfiltered.size == CLASSES + 1

    def test_auroc(self):
        """The same number, ties half; here NaN where one kind is absent."""
        risk, positive = RNG.integers(0, 9, 60) / 9, RNG.random(60) < 0.4
        assert auroc(risk, positive) == pytest.approx(self.sk.roc_auc_score(positive, risk))
        assert math.isnan(auroc(risk, np.ones(60, bool)))
        with pytest.warns(UserWarning, match="Only one class"):
            assert math.isnan(self.sk.roc_auc_score(np.ones(60, bool), risk))


class TestSegmentationModels:
    """segmentation_models_pytorch.metrics on index maps."""

    @pytest.fixture(autouse=True)
    def _needs_smp(self):
        self.torch = pytest.importorskip("torch")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("segmentation_models_pytorch")
        import segmentation_models_pytorch.metrics as smp

        self.smp = smp

    def stats(self, pair, ignore=None):
        truth, predicted = (self.torch.tensor(labels) for labels in pair)
        return self.smp.get_stats(predicted, truth, mode="multiclass", num_classes=CLASSES, ignore_index=ignore)

    def test_same_reductions_where_every_class_occurs(self):
        """All four reductions, for IoU, Dice (its F1) and accuracy (its recall), with and without void."""
        for pair, ignore in ((FULL, None), ((VOID, FULL[1]), 255)):
            stats = self.stats(pair, ignore)
            for score, theirs in (("iou", self.smp.iou_score), ("dice", self.smp.f1_score), ("accuracy", self.smp.recall)):
                for reduction in ("micro", "macro", "micro-imagewise", "macro-imagewise"):
                    got = float(theirs(*stats, reduction=reduction))
                    assert got == pytest.approx(float(ours(pair, score, reduction)), abs=1e-6), (score, reduction)

    def test_its_accuracy_counts_true_negatives(self):
        """Its `accuracy` is (TP + TN) / all per class, always larger than the pixel accuracy when classes are several."""
        assert float(self.smp.accuracy(*self.stats(FULL), reduction="micro")) > float(ours(FULL, "accuracy", "micro")) + 0.1

    def test_its_none_is_per_picture(self):
        """`none` there is a table [pictures, classes]; here counts are pooled first."""
        assert self.smp.iou_score(*self.stats(FULL), reduction="none").shape == (5, CLASSES)
        assert ours(FULL, "iou", "none").shape == (CLASSES,)

    def test_absent_class_counts_as_1_there(self):
        """By default (`zero_division=1.0`) it becomes 1 and stays in the mean, for the whole set and in each picture; 0 on request."""
        stats = self.stats(SPARSE)
        macro = float(self.smp.iou_score(*stats, reduction="macro"))
        assert macro == pytest.approx((float(ours(SPARSE)) * 3 + 1) / 4, abs=1e-6)
        lower = float(self.smp.iou_score(*stats, reduction="macro", zero_division=0))
        assert lower == pytest.approx(float(ours(SPARSE)) * 3 / 4, abs=1e-6)
        imagewise = [float(self.smp.iou_score(*stats, reduction="macro-imagewise", zero_division=z)) for z in (0.0, 1.0)]
        assert imagewise[0] < float(ours(SPARSE, "iou", "macro-imagewise")) < imagewise[1]


class TestTorchmetrics:
    """torchmetrics on index maps."""

    @pytest.fixture(autouse=True)
    def _needs_torchmetrics(self):
        self.torch = pytest.importorskip("torch")
        pytest.importorskip("torchmetrics")
        from torchmetrics import classification, segmentation

        self.by_pixel, self.by_picture = classification, segmentation

    def value(self, metric, pair):
        metric.update(*(self.torch.tensor(labels) for labels in reversed(pair)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return metric.compute().numpy()

    def test_jaccard_and_accuracy_agree(self):
        """Pooled IoU and accuracy, with an ignored id and with an absent class, which its macro mean leaves out too."""
        for pair in (FULL, SPARSE, (VOID, FULL[1])):
            for reduction in ("macro", "micro"):
                jaccard = self.by_pixel.MulticlassJaccardIndex(CLASSES, average=reduction, ignore_index=255)
                assert self.value(jaccard, pair) == pytest.approx(ours(pair, "iou", reduction), abs=1e-6)
                accuracy = self.by_pixel.MulticlassAccuracy(CLASSES, average=reduction, ignore_index=255)
                assert self.value(accuracy, pair) == pytest.approx(ours(pair, "accuracy", reduction), abs=1e-6)

    def test_jaccard_shows_an_absent_class_as_0(self):
        """Per class it says 0 where there is nothing to overlap; here NaN."""
        none = self.value(self.by_pixel.MulticlassJaccardIndex(CLASSES, average="none"), SPARSE)
        np.testing.assert_allclose(none, np.nan_to_num(ours(SPARSE, "iou", "none")), atol=1e-6)

    def test_mean_iou_is_imagewise(self):
        """Its `MeanIoU` averages over pictures: our macro-imagewise where every class occurs, never our macro."""
        mean_iou = self.value(self.by_picture.MeanIoU(CLASSES, input_format="index"), FULL)
        assert mean_iou == pytest.approx(ours(FULL, "iou", "macro-imagewise"), abs=1e-6)
        assert mean_iou != pytest.approx(ours(FULL, "iou", "macro"), abs=1e-4)

    def test_mean_iou_weighs_pictures_by_their_classes(self):
        """Where classes are absent it averages all (picture, class) values at once, so a picture with more classes weighs more."""
        truth, predicted = SPARSE
        per_picture = [ours((t[None], p[None]), "iou", "none") for t, p in zip(truth, predicted, strict=True)]
        mean_iou = self.value(self.by_picture.MeanIoU(CLASSES, input_format="index"), SPARSE)
        assert mean_iou == pytest.approx(np.nanmean(per_picture), abs=1e-6)
        assert ours(SPARSE, "iou", "macro-imagewise") == pytest.approx(np.mean([np.nanmean(row) for row in per_picture]))

    def test_dice(self):
        """`DiceScore` averages over pictures: macro is our macro-imagewise, micro our micro-imagewise."""
        for reduction in ("macro", "micro"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dice = self.by_picture.DiceScore(CLASSES, average=reduction, input_format="index")
            assert self.value(dice, FULL) == pytest.approx(ours(FULL, "dice", f"{reduction}-imagewise"), abs=1e-6)


def test_overlap_scores_cannot_tell_a_flip_from_a_miss():
    """Two predictions with the same mean IoU, Dice and accuracy: in one all errors are flips, in the other misses and additions."""
    truth = np.array([[1, 1, 2, 2, 0, 0]])
    flips, misses = np.array([[1, 2, 2, 1, 0, 0]]), np.array([[1, 0, 2, 2, 1, 0]])
    for score in ("iou", "dice", "accuracy"):
        for reduction in ("macro", "micro"):
            one, two = (
                overlap(counts_by_class([joint_counts(truth, p, classes=3)], ids=range(3)), score=score, reduction=reduction)
                for p in (flips, misses)
            )
            assert one == pytest.approx(two)
    a, b = (decompose(joint_counts(truth, p, classes=3)) for p in (flips, misses))
    assert (a.flipped, a.missed, a.added) == (2, 0, 0)
    assert (b.flipped, b.missed, b.added) == (0, 1, 1)


def test_label_free_scores_agree_with_softmax():
    """The rivals of flip-risk are those worked out from torch's softmax."""
    torch = pytest.importorskip("torch")
    logits = torch.randn(5, 20, 20, generator=torch.Generator().manual_seed(0)) * 2
    p = logits.double().softmax(0)
    found = p.argmax(0) != 0
    top = p.sort(0, descending=True).values
    foreground = logits[1:].double().softmax(0)
    expected = {
        "flip_risk": -(foreground * foreground.log()).sum(0) / math.log(4),
        "entropy": -(p * p.log()).sum(0) / math.log(5),
        "one_minus_max_probability": 1 - top[0],
        "one_minus_margin": 1 - (top[0] - top[1]),
    }
    assert reduce_logits(logits).scores == pytest.approx({name: value[found].mean().item() for name, value in expected.items()}, abs=1e-6)
