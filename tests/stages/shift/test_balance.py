"""Facts of pictures, standardised differences, and the association of label and context."""

from __future__ import annotations

import csv
import doctest
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats.contingency import association
from sklearn.metrics import mutual_info_score

from figureground.core.errors import InputError
from figureground.data.dataset import open_dataset
from figureground.data.labelmap import encode_runs
from figureground.metrics.association import cramers_v, mutual_information
from figureground.runs.executor import LocalExecutor
from figureground.stages.shift import balance, coco_context, context, facts, plan, scenes
from figureground.stages.shift.balance import COLUMNS, FACTS, PictureFacts, balance_table, measure_picture
from figureground.stages.shift.balance_stage import run_balance
from figureground.stages.shift.split_options import BalanceOptions

LABEL_MAPS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda hw: st.lists(st.sampled_from([0, 0, 0, 1, 2, 255]), min_size=hw[0] * hw[1], max_size=hw[0] * hw[1]).map(
        lambda values: np.array(values, np.uint8).reshape(hw)
    )
)
TABLES = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 4).flatmap(
        lambda columns: st.lists(st.integers(0, 9), min_size=rows * columns, max_size=rows * columns).map(
            lambda values: np.array(values).reshape(rows, columns)
        )
    )
)


@pytest.mark.parametrize("module", [balance, coco_context, context, facts, plan, scenes])
def test_examples_in_docstrings(module):
    """Every example gives what it says, and there is at least one."""
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted > 0
    assert result.failed == 0


def oracle(label_map: np.ndarray, figure: int | None) -> tuple[float, ...]:
    """Area, centre, regions and border contact pixel by pixel."""
    height, width = label_map.shape
    counted = label_map != 255
    objects = counted & (label_map != 0) if figure is None else label_map == figure
    points = np.argwhere(objects) + 0.5
    regions = sum(ndimage.label(objects & (label_map == c), np.ones((3, 3)))[1] for c in (1, 2))
    frame = np.ones(label_map.shape, bool)
    frame[1:-1, 1:-1] = False
    on_frame = counted & frame
    return (
        objects.sum() / counted.sum() if counted.any() else math.nan,
        points[:, 0].mean() / height if len(points) else math.nan,
        points[:, 1].mean() / width if len(points) else math.nan,
        regions,
        (objects & on_frame).sum() / on_frame.sum() if on_frame.any() else math.nan,
    )


@given(LABEL_MAPS, st.sampled_from([None, 1, 2]))
def test_object_facts_are_those_counted_pixel_by_pixel(label_map, figure):
    """Runs and pixels give the same facts, and arrays and runs may both be handed over."""
    found = measure_picture(None, label_map, figure=figure)
    values = (found.object_area, found.centre_y, found.centre_x, found.objects, found.border_contact)
    np.testing.assert_allclose(values, oracle(label_map, figure), rtol=1e-12)
    assert math.isnan(found.brightness)
    assert math.isnan(found.sharpness)
    assert repr(measure_picture(None, encode_runs(label_map), figure=figure)) == repr(found)


def test_light_by_hand():
    """A white picture is bright and has no edge; one grey step of 51 gives the Laplacian that a hand finds."""
    white = measure_picture(np.full((5, 4, 3), 255, np.uint8), None)
    assert (white.brightness, white.sharpness) == (1.0, 0.0)
    assert math.isnan(white.object_area)
    assert math.isnan(white.objects)
    step = np.zeros((1, 4, 3), np.uint8)
    step[:, 2:] = 51
    found = measure_picture(step, None)
    laplacian = np.array([0, 0.2, -0.2, 0])  # the neighbour's difference; the border is mirrored
    assert found.brightness == pytest.approx(0.1)
    assert found.sharpness == pytest.approx(laplacian.var())


def test_colours_weigh_as_they_are_seen():
    """Green is brighter than red, and red than blue."""
    pure = [np.zeros((2, 2, 3), np.uint8) for _ in range(3)]
    for channel, picture in enumerate(pure):
        picture[..., channel] = 255
    assert [round(measure_picture(p, None).brightness, 1) for p in pure] == [0.3, 0.6, 0.1]


@pytest.mark.parametrize(
    ("rgb", "label_map", "words"),
    [
        (np.zeros((2, 2), np.uint8), None, "must be uint8"),
        (np.zeros((2, 2, 3), np.float32), None, "must be uint8"),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.uint8), "one size"),
    ],
)
def test_a_wrong_picture_is_refused(rgb, label_map, words):
    with pytest.raises(InputError, match=words):
        measure_picture(rgb, label_map)


def areas(*values: float) -> list[PictureFacts]:
    return [PictureFacts(object_area=v) for v in values]


def difference(facts, label, ctx, fact="object_area"):
    return next(d for d in balance_table(facts, label, ctx).differences if d.fact == fact)


def test_difference_by_hand():
    """Means 2 and 5, variances 1 and 4: d = -3 / sqrt(2.5), and the standard error of the formula."""
    one = difference(areas(1, 2, 3, 3, 5, 7), ["cat"] * 6, ["in"] * 3 + ["out"] * 3)
    d = -3 / math.sqrt(2.5)
    assert one.d == pytest.approx(d)
    assert one.se == pytest.approx(math.sqrt(d**2 / (8 * 2.5**2) * (1 / 2 + 16 / 2) + (1 / 2 + 4 / 2) / 2.5))
    assert one.kind == "context"
    assert (one.first.name, one.other.name, one.first.n) == ("cat-in", "cat-out", 3)
    assert "between cat-in and cat-out: 2.00 against 5.00, d = 1.90" in one.sentence


@pytest.mark.parametrize(
    ("values", "wanted"), [((0.1, 0.1, 0.1, 0.1), 0.0), ((0.1, 0.1, 0.3, 0.3), -math.inf), ((0.3, 0.3, 0.1, 0.1), math.inf)]
)
def test_no_spread_is_no_difference_or_an_infinite_one(values, wanted):
    """Rounding makes no deviation of equal numbers; an infinite difference of four pictures chance can make, that of eight it cannot."""
    one = difference(areas(*values), ["cat"] * 4, ["in", "in", "out", "out"])
    assert one.d == wanted
    assert one.by_chance
    more = difference(areas(*values, *values), ["cat"] * 8, ["in", "in", "out", "out"] * 2)
    assert more.d == wanted
    assert more.by_chance == (wanted == 0)


def test_one_sample_or_a_missing_fact_says_nothing():
    """With one sample on a side d is NaN and no warning; a NaN fact is left out of its group, not counted as 0."""
    facts = [*areas(0.1, 0.2, 0.9), PictureFacts()]
    table = balance_table(facts, ["cat"] * 4, ["in", "in", "out", "out"])
    one = next(d for d in table.differences if d.fact == "object_area")
    assert one.other.n == 1
    assert one.other.mean == 0.9
    assert math.isnan(one.d)
    assert table.warnings == ()
    assert math.isnan(table.find("brightness", "cat", "in").mean)


def test_what_is_compared():
    """Every pair of groups by kind, and classes as a whole; samples without label or context are in no group."""
    label = ["cat", "cat", "dog", "dog", "", "cat"]
    table = balance_table(areas(*range(6)), label, ["in", "out", "in", "out", "in", ""])
    kinds = [(d.kind, d.first.name, d.other.name) for d in table.differences if d.fact == "object_area"]
    assert kinds == [
        ("context", "cat-in", "cat-out"),
        ("class", "cat-in", "dog-in"),
        ("both", "cat-in", "dog-out"),
        ("both", "cat-out", "dog-in"),
        ("class", "cat-out", "dog-out"),
        ("context", "dog-in", "dog-out"),
        ("class", "cat", "dog"),
    ]
    assert table.left_out == 2
    assert table.sizes == {("cat", "in"): 1, ("cat", "out"): 1, ("dog", "in"): 1, ("dog", "out"): 1}
    assert (table.mutual_information, table.cramers_v) == (0.0, 0.0)
    with pytest.raises(InputError, match="no fact 'size'"):
        table.find("size", "cat")


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=24), st.randoms())
def test_the_order_of_samples_changes_nothing(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = (
        balance_table([PictureFacts(object_area=area) for area, _, _ in r], [c for _, c, _ in r], [k for _, _, k in r])
        for r in (rows, shuffled)
    )
    for a, b in zip(one.rows(), other.rows(), strict=True):
        for key in a:
            if isinstance(a[key], float):
                assert a[key] == pytest.approx(b[key], nan_ok=True, abs=1e-6)
            elif key != "warning":  # the digits of a sentence may round apart
                assert a[key] == b[key]


@given(st.lists(st.floats(0, 1).map(lambda v: round(v, 3)), min_size=4, max_size=12), st.floats(0.5, 9), st.floats(-3, 3))
def test_a_difference_has_no_unit(values, scale, shift):
    """Another unit of the fact, and twice the samples, leave d where it is (up to n - 1)."""
    ctx = ["in" if i % 2 else "out" for i in range(len(values))]
    plain = difference(areas(*values), ["cat"] * len(values), ctx)
    moved = difference(areas(*(scale * v + shift for v in values)), ["cat"] * len(values), ctx)
    spread = min(plain.first.sd, plain.other.sd)
    if spread > 1e-2:
        assert moved.d == pytest.approx(plain.d, rel=1e-6, abs=1e-6)
        assert moved.se == pytest.approx(plain.se, rel=1e-6)


def test_the_standard_error_is_how_far_d_strays():
    """Drawn again and again, d strays as far as its standard error says, within a tenth."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(600):
        values = np.concatenate([rng.normal(0, 1, 40), rng.normal(0.8, 2, 60)])
        found.append(difference(areas(*values), ["cat"] * 100, ["in"] * 40 + ["out"] * 60))
    assert np.std([one.d for one in found]) == pytest.approx(np.mean([one.se for one in found]), rel=0.1)


def pushed(values: np.ndarray, sides: np.ndarray, weights: np.ndarray) -> float:
    """The difference where each sample counts as often as its weight says."""
    mean, variance = [], []
    for side in (0, 1):
        x, w = values[sides == side], weights[sides == side]
        mean.append((w * x).sum() / w.sum())
        variance.append((w * (x - mean[-1]) ** 2).sum() / w.sum() * x.size / (x.size - 1))
    return (mean[0] - mean[1]) / math.sqrt(sum(variance) / 2)


def clustered_oracle(values: np.ndarray, sides: np.ndarray, clusters: np.ndarray) -> float:
    """How far d goes when a cluster counts a little more, by pushing each one; enlarged by g / (g - 1) for the clusters of each side."""
    total, h = 0.0, 1e-5
    for cluster in np.unique(clusters):
        gone = 0.0
        for side in (0, 1):
            push = h * ((clusters == cluster) & (sides == side))
            g = np.unique(clusters[sides == side]).size
            gone += g / (g - 1) * (pushed(values, sides, 1 + push) - pushed(values, sides, 1 - push)) / (2 * h)
        total += gone**2
    return math.sqrt(total)


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.floats(0, 1).map(lambda v: round(v, 3)), st.integers(0, 1), st.integers(0, 5)), min_size=6, max_size=30),
    st.randoms(),
)
def test_the_standard_error_over_clusters_against_an_oracle(rows, random):
    """Within a side and across both; whatever clusters are called and in whatever order samples come."""
    values, sides, clusters = (np.array(column) for column in zip(*rows, strict=True))
    assume(len(np.unique(clusters)) < len(rows))
    assume(all(len(np.unique(clusters[sides == side])) > 1 and values[sides == side].std() > 0.05 for side in (0, 1)))
    names = random.sample(["x", "y", "z", "ä b", "0", "1"], 6)

    def found(order):
        ctx, cluster = [("in", "out")[sides[i]] for i in order], [names[clusters[i]] for i in order]
        return balance_table(areas(*values[order]), ["cat"] * len(order), ctx, cluster=cluster).differences[0]

    one = found(list(range(len(rows))))
    assert one.d == pytest.approx(difference(areas(*values), ["cat"] * len(rows), [("in", "out")[s] for s in sides]).d)
    assert one.se == pytest.approx(clustered_oracle(values, sides, clusters), rel=1e-5, abs=1e-7)
    assert found(random.sample(range(len(rows)), len(rows))).se == pytest.approx(one.se, rel=1e-9, abs=1e-12)


def test_clusters_of_one_are_samples():
    """Names that nobody shares, and empty ones, change nothing; pairs by hand with no mean difference give the error of paired samples."""
    facts, ctx = areas(0.1, 0.4, 0.5, 0.2, 0.3, 0.4), ["in", "out"] * 3
    plain = balance_table(facts, ["cat"] * 6, ctx)
    for names in ([""] * 6, list("abcdef"), ["a", "", "b", "", "c", ""]):
        assert balance_table(facts, ["cat"] * 6, ctx, cluster=names).to_csv() == plain.to_csv()
    paired = balance_table(areas(1, 2, 2, 3, 3, 1), ["cat"] * 6, ctx, cluster=["a", "a", "b", "b", "c", "c"]).differences[0]
    apart = np.array([1, 1, -2])  # the second of each pair minus the first
    assert paired.d == 0
    assert paired.se == pytest.approx(math.sqrt((apart**2).sum() / 2**2))  # both deviations are 1
    same = balance_table(areas(1, 1, 2, 2, 4, 4), ["cat"] * 6, ctx, cluster=["a", "a", "b", "b", "c", "c"]).differences[0]
    assert (same.d, same.se, same.by_chance) == (0, 0, True)


@pytest.mark.parametrize("values", [(1, 2, 8, 9), (1, 1, 9, 9)])
def test_one_cluster_says_nothing_of_others(values):
    """All samples of a side from one video: however far they are from the others, another video could be as far."""
    one = balance_table(areas(*values, 5), ["cat"] * 5, ["in", "in", "out", "out", "out"], cluster=["a", "a", "b", "b", "c"]).differences[0]
    assert one.se == math.inf
    assert one.by_chance


@pytest.mark.slow
@pytest.mark.parametrize("across", [True, False])
def test_false_alarms_are_as_rare_as_they_should_be(across):
    """Thirty figures of each class, three pictures of each, nothing that differs: about 5 in 100 are called beyond chance, not 27."""
    rng, alarms = np.random.default_rng(1), {True: [], False: []}
    label, figure = np.repeat(["a", "b"], 90), np.repeat(np.arange(60), 3)
    ctx = np.tile(["x", "y", "z"], 60) if across else np.repeat(np.tile(["x", "y", "z"], 20), 3)
    for _ in range(150):
        facts = areas(*(np.repeat(rng.normal(size=60), 3) + 0.3 * rng.normal(size=180)))
        for clustered in (True, False):
            table = balance_table(facts, label.tolist(), ctx.tolist(), cluster=[str(f) for f in figure] if clustered else None)
            alarms[clustered] += [
                not d.by_chance for d in table.differences if d.fact == "object_area" and (not across or not d.first.context)
            ]
    assert 0.01 < np.mean(alarms[True]) < 0.09
    assert np.mean(alarms[False]) > 0.2


def test_the_standard_error_over_clusters_is_how_far_d_strays():
    """Groups that truly differ, clusters of uneven size: d strays as far as its standard error says, within a tenth."""
    rng, found = np.random.default_rng(2), []
    size = rng.integers(1, 6, 80)
    cluster, ctx = np.repeat(np.arange(80), size), np.where(np.repeat(np.arange(80), size) < 40, "in", "out")
    for _ in range(400):
        centre = rng.normal(size=80) + np.where(np.arange(80) < 40, 0.0, 0.8)
        facts = areas(*(np.repeat(centre, size) + 0.5 * rng.normal(size=cluster.size)))
        found.append(balance_table(facts, ["cat"] * cluster.size, ctx.tolist(), cluster=[str(c) for c in cluster]).differences[0])
    assert np.std([one.d for one in found]) == pytest.approx(np.mean([one.se for one in found]), rel=0.1)


@given(TABLES)
def test_association_against_scipy_and_sklearn(counts):
    """Mutual information in nats as scikit-learn's, Cramer's V as scipy's; both within their bounds."""
    rows, columns = np.indices(counts.shape)
    label, ctx = np.repeat(rows.ravel(), counts.ravel()), np.repeat(columns.ravel(), counts.ravel())
    found = mutual_information(counts)
    if not counts.sum():
        assert math.isnan(found)
        assert math.isnan(cramers_v(counts))
        return
    assert found == pytest.approx(mutual_info_score(label, ctx), abs=1e-9)
    assert 0 <= found <= math.log(min(counts.shape)) + 1e-12
    seen = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    if min(seen.shape) < 2:
        assert math.isnan(cramers_v(counts))
    else:
        assert cramers_v(counts) == pytest.approx(association(seen, method="cramer"), abs=1e-9)


def test_the_dial_is_cramers_v():
    """With two balanced classes and contexts V is 2 rho - 1."""
    for rho in (0.5, 0.75, 0.95, 1.0):
        major = round(rho * 200)
        assert cramers_v(np.array([[major, 200 - major], [200 - major, major]])) == pytest.approx(2 * rho - 1)


def test_the_order_of_warnings():
    """What chance would rarely make comes first, then the object before the light, then the largest."""
    rng = np.random.default_rng(0)
    facts = [
        PictureFacts(object_area=a + rng.normal(), centre_y=y + rng.normal(), brightness=b + rng.normal())
        for a, y, b in [(0.0, 0.0, 0.0)] * 40 + [(1.0, 2.0, 5.0)] * 40
    ]
    few = [PictureFacts(centre_x=float(v)) for v in (1, 2, 2, 5)]
    label = ["cat"] * 80 + ["dog"] * 4
    table = balance_table([*facts, *few], label, ["in"] * 40 + ["out"] * 40 + ["in", "in", "out", "out"])
    inside = [one.fact for one in table.warnings if one.kind == "context"]
    assert inside == ["centre_y", "object_area", "brightness", "centre_x"]
    assert [one.by_chance for one in table.warnings if one.kind == "context"] == [False, False, False, True]


def test_the_csv_says_it_all():
    """Header, association, groups and differences; undefined numbers are empty cells, and names with commas survive."""
    table = balance_table(areas(0.1, 0.2, 0.5, 0.6), ["cat, big"] * 4, ["in", "in", "out", "out"])
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert tuple(rows[0]) == COLUMNS
    assert [r["fact"] for r in rows[:2]] == ["mutual_information", "cramers_v"]
    assert rows[1]["value"] == ""
    one = next(r for r in rows if r["row"] == "context" and r["fact"] == "object_area")
    assert (one["class"], one["context"], one["other_context"], one["n"], one["mean"]) == ("cat, big", "in", "out", "2", "0.15")
    assert float(one["value"]) == pytest.approx(-0.4 / math.sqrt(0.005), rel=1e-4)
    assert "object area differs" in one["warning"]
    assert sum(r["row"] == "group" for r in rows) == 3 * len(FACTS)
    assert "object area differs between cat, big-in and cat, big-out" in table.to_text()


def test_threshold_and_lengths():
    facts, label, ctx = areas(0.1, 0.2, 0.5, 0.6), ["cat"] * 4, ["in", "in", "out", "out"]
    assert len(balance_table(facts, label, ctx, threshold=0.1).warnings) == 1
    assert not balance_table(facts, label, ctx, threshold=100).warnings
    with pytest.raises(InputError, match="one entry per sample"):
        balance_table(facts, label, ctx[:3])
    with pytest.raises(InputError, match="`cluster` must have one entry per sample; got 3 for 4"):
        balance_table(facts, label, ctx, cluster=["a"] * 3)
    with pytest.raises(InputError, match="threshold"):
        balance_table(facts, label, ctx, threshold=-1)
    empty = balance_table([], [], [])
    assert empty.groups == ()
    assert math.isnan(empty.mutual_information)
    assert "0 samples" in empty.to_text()


def test_the_published_confound_is_found(real_data: Path, tmp_path: Path):
    """COCO-CD: the mean figure of each group is as published, cats indoors are larger than dogs outdoors, and light is missing, not 0."""
    dataset = open_dataset(f"coco:{real_data}/published/coco_cd/instances_test_balanced.json?groups=indoor,outdoor&crowd=class")
    table = run_balance(dataset, out=tmp_path / "b.csv", executor=LocalExecutor(1))
    published = {("cat", "indoor"): 0.202, ("cat", "outdoor"): 0.142, ("dog", "indoor"): 0.185, ("dog", "outdoor"): 0.111}
    for (label, ctx), mean in published.items():
        assert table.find("object_area", label, ctx).mean == pytest.approx(mean, abs=0.005)  # published at 512 x 512
        assert table.sizes[label, ctx] == 125
        light = table.find("brightness", label, ctx)
        assert light.n == 0
        assert math.isnan(light.mean)
    first = table.warnings[0]
    assert (first.fact, first.first.name, first.other.name) == ("object_area", "cat-indoor", "dog-outdoor")
    assert first.d > 0.6
    assert (table.mutual_information, table.cramers_v) == (0.0, 0.0)
    assert (tmp_path / "b.csv").read_text() == table.to_csv()


def test_real_pictures_have_light(real_data: Path):
    """With pictures all facts are there, and the object is what bears the label, not every thing in the picture."""
    dataset = open_dataset(str(real_data / "coco128"))
    kept = [s.id for s in dataset.samples if s.label in ("cat", "dog", "bus") and s.attributes["context"]]
    table = run_balance(dataset.select(ids=kept))
    bus = table.find("object_area", "bus", "outdoor")
    assert 0 < bus.mean < 0.9
    assert 0 < table.find("brightness", "bus", "outdoor").mean < 1
    assert table.find("sharpness", "bus", "outdoor").n == bus.n


def test_a_table_needs_context_labels_and_a_place(real_data: Path, tmp_path: Path):
    cats = open_dataset(str(real_data / "feral_cats"))
    with pytest.raises(InputError, match="no value in its column `context`"):
        run_balance(cats)
    coco = open_dataset(str(real_data / "coco128"))
    with pytest.raises(InputError, match="Did you mean `context`"):
        run_balance(coco, options=BalanceOptions(context="contxt"))
    with pytest.raises(InputError, match="no split 'tst'"):
        run_balance(coco, options=BalanceOptions(split="tst"))
    with pytest.raises(InputError, match="`contxt`"):
        run_balance(coco, options=BalanceOptions(cluster="contxt"))
    with pytest.raises(InputError, match="must be a file"):
        run_balance(coco, out=tmp_path)
