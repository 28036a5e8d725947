"""Rows of a sweep against figures worked out sample by sample in plain Python, and what their intervals hold."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from figureground.core.errors import ArtifactError
from figureground.core.types import ClassTable
from figureground.metrics.resample import bootstrap_weights
from figureground.stages.audit.statistics import sample_features
from figureground.stages.audit.table import sample_table
from figureground.sweeps import rows as sweep_rows
from figureground.sweeps.figure import sweep_svg
from figureground.sweeps.outcomes import FIGURES, Outcome, measure
from figureground.sweeps.rows import Row, make_difference

CLASSES = ClassTable(names=("ground", "duck", "hare"))
COMMON = {"duck": "shore", "hare": "forest"}
NAMES = {"data": "drawn", "architecture": "net", "objective": "ce", "rho": 0.95}


def random_run(seed, samples=24, flips=True, less=1.0):
    """A run with 3 x 3 joint counts a sample, and those counts; `less` scales the flipped pixels."""
    rng = np.random.default_rng(seed)
    tables = rng.integers(1, 90, (samples, 3, 3))
    label = ["duck" if i % 2 else "hare" for i in range(samples)]
    context = ["shore" if i // 2 % 2 else "forest" for i in range(samples)]
    for i, name in enumerate(label):
        other = 2 if name == "duck" else 1
        tables[i, other] = 0  # one foreground class a picture
        tables[i, 3 - other, other] = int(less * tables[i, 3 - other, other]) if flips else 0
    ids = tuple(f"s{i:03d}" for i in range(samples))
    i, t, p = np.nonzero(tables)
    rows = pa.table({"id": [ids[n] for n in i], "truth": t, "predicted": p, "pixels": tables[i, t, p]})
    table = sample_table(rows, np.zeros((samples, 4), np.int64), ids=ids, classes=CLASSES)
    run = Outcome(
        classes=CLASSES,
        ids=ids,
        features=sample_features(table),
        label=tuple(label),
        context=tuple(context),
        risk=rng.random(samples),
        unit=np.arange(samples),
    )
    return run, tables


def slow_figures(run, tables, chosen):
    """The six figures of some samples (with repetition), by loops over pixels' counts."""

    def pooled(members):
        return sum((tables[i] for i in members), np.zeros((3, 3), np.int64))

    def iou(counts, k):
        union = counts[k].sum() + counts[:, k].sum() - counts[k, k]
        return counts[k, k] / union if union else math.nan

    def flip(members):
        counts = pooled(members)
        figure = counts[1:].sum()
        return (counts[1, 2] + counts[2, 1]) / figure if figure else math.nan

    def of(label, context):
        return [i for i in chosen if run.label[i] == label and run.context[i] == context]

    gaps = [iou(pooled(of("duck", "shore")), 1) - iou(pooled(of("duck", "forest")), 1)]
    gaps.append(iou(pooled(of("hare", "forest")), 2) - iou(pooled(of("hare", "shore")), 2))
    usual = of("duck", "shore") + of("hare", "forest")
    counterfactual = of("duck", "forest") + of("hare", "shore")
    whole = pooled(chosen)
    found = whole[1:, 1:].sum()
    any_foreground = found / (whole[1:].sum() + whole[0, 1:].sum())
    flipped = [(tables[i][1, 2] + tables[i][2, 1]) / tables[i][1:].sum() for i in chosen]
    order = sorted(range(len(chosen)), key=lambda place: run.risk[chosen[place]])  # stable: ties keep their order
    last = order[9 * len(chosen) // 10 :]
    share = sum(flipped[place] for place in last) / sum(flipped) if sum(flipped) else math.nan
    return [np.nanmean(gaps), flip(counterfactual), flip(usual), any_foreground, (iou(whole, 1) + iou(whole, 2)) / 2, share]


def make_row(runs, *, common, names, resamples=1000, seed=0):
    return sweep_rows.make_row(measure(runs, common=common, resamples=resamples, seed=seed), names=names)


def values(row, end="value"):
    return [getattr(getattr(row, name), end) for name in FIGURES]


@pytest.mark.parametrize("seed", range(3))
def test_values_are_the_mean_over_seeds_of_slow_figures(seed):
    pairs = [random_run(10 * seed + n) for n in range(3)]
    row = make_row([run for run, _ in pairs], common=COMMON, names=NAMES, resamples=0)
    expected = np.mean([slow_figures(run, tables, range(len(tables))) for run, tables in pairs], axis=0)
    np.testing.assert_allclose(values(row), expected, rtol=1e-12)
    assert row.seeds == 3
    assert all(math.isnan(end) for end in values(row, "low"))


def test_classes_of_several_contexts_by_hand():
    """Each group is one sample; the gap is the mean over own contexts minus the mean over the others, flips are pooled by kind."""
    contexts, own = ("den", "field", "forest", "shore"), {"duck": ("shore", "den"), "hare": ("forest", "field")}
    flipped = {"duck": (4, 50, 10, 20), "hare": (70, 2, 30, 6)}
    tables = np.zeros((8, 3, 3), np.int64)
    groups = [(label, context) for label in own for context in contexts]
    for i, (label, context) in enumerate(groups):
        truth, wrong = CLASSES.names.index(label), flipped[label][contexts.index(context)]
        tables[i, 0, 0], tables[i, truth, truth], tables[i, truth, 3 - truth] = 50, 100 - wrong, wrong
    ids = tuple(f"s{n}" for n in range(8))
    i, t, p = np.nonzero(tables)
    rows = pa.table({"id": [ids[n] for n in i], "truth": t, "predicted": p, "pixels": tables[i, t, p]})
    table = sample_table(rows, np.zeros((8, 4), np.int64), ids=ids, classes=CLASSES)
    told = {"label": tuple(label for label, _ in groups), "context": tuple(context for _, context in groups)}
    run = Outcome(classes=CLASSES, ids=ids, features=sample_features(table), risk=np.zeros(8), unit=np.arange(8), **told)
    found = dict(zip(FIGURES, measure([run], common=own, resamples=0).values[0], strict=True))
    duck = (0.96 + 0.80) / 2 - (0.50 + 0.90) / 2
    hare = (0.98 + 0.70) / 2 - (0.30 + 0.94) / 2
    assert found["gap_iou"] == pytest.approx((duck + hare) / 2)
    assert found["common_flip"] == pytest.approx((4 + 20 + 2 + 30) / 400)
    assert found["counterfactual_flip"] == pytest.approx((50 + 10 + 70 + 6) / 400)


def test_with_one_seed_the_interval_is_that_of_resampled_samples():
    run, tables = random_run(7)
    row = make_row([run], common=COMMON, names=NAMES, resamples=200, seed=5)
    weights = bootstrap_weights(len(tables), resamples=200, seed=5).astype(int)
    replicates = np.array([slow_figures(run, tables, np.repeat(np.arange(len(tables)), w).tolist()) for w in weights])
    np.testing.assert_allclose(values(row, "low"), np.nanquantile(replicates, 0.025, axis=0), rtol=1e-9)
    np.testing.assert_allclose(values(row, "high"), np.nanquantile(replicates, 0.975, axis=0), rtol=1e-9)


def test_seeds_that_differ_widen_the_interval_and_seeds_that_agree_do_not():
    run, _ = random_run(1)
    calm, _ = random_run(1, flips=False)
    alike = make_row([run, run, run], common=COMMON, names=NAMES, resamples=300)
    alone = make_row([run], common=COMMON, names=NAMES, resamples=300)
    mixed = make_row([run, calm, run], common=COMMON, names=NAMES, resamples=300)
    np.testing.assert_allclose(values(alike, "high"), values(alone, "high"), rtol=1e-12)
    width = {name: row.counterfactual_flip.high - row.counterfactual_flip.low for name, row in (("alike", alike), ("mixed", mixed))}
    assert width["mixed"] > 2 * width["alike"]


def test_a_difference_is_paired_by_seed_and_sample():
    """Two objectives that differ little beside what seeds and samples do: their intervals overlap, that of the difference excludes 0."""
    pairs = [random_run(seed) for seed in range(3)]
    better = [random_run(seed, less=0.5) for seed in range(3)]
    one, other = (measure([run for run, _ in some], common=COMMON, resamples=300) for some in (better, pairs))
    found = make_difference(one, other, names={**NAMES, "objective": "group-dro", "against": "ce"})
    expected = np.mean([slow_figures(*a, range(24)) for a in better], axis=0) - np.mean(
        [slow_figures(*b, range(24)) for b in pairs], axis=0
    )
    np.testing.assert_allclose(values(found), expected, rtol=1e-9, atol=1e-12)
    rows = [sweep_rows.make_row(some, names=NAMES) for some in (one, other)]
    assert rows[0].counterfactual_flip.high > rows[1].counterfactual_flip.low
    assert found.counterfactual_flip.high < 0
    same = make_difference(one, one, names={**NAMES, "against": "ce"})
    assert values(same) == values(same, "low") == values(same, "high") == [0.0] * 6


def test_a_figure_that_one_network_lacks_has_neither_value_nor_interval():
    runs = [random_run(1)[0], random_run(1, flips=False)[0]]
    row = make_row(runs, common=COMMON, names=NAMES, resamples=50)
    assert all(math.isnan(end) for end in (row.top_decile_share.value, row.top_decile_share.low, row.top_decile_share.high))


def test_intervals_end_where_the_figure_does():
    runs = [random_run(1)[0], random_run(1, flips=False)[0]]
    row = make_row(runs, common=COMMON, names=NAMES, resamples=100)
    assert (row.counterfactual_flip.low, row.counterfactual_flip.high) == (0.0, 1.0)  # two networks say next to nothing


def test_what_is_undefined_stays_so():
    calm, _ = random_run(3, flips=False)
    row = make_row([calm], common=COMMON, names=NAMES, resamples=20)
    assert row.counterfactual_flip.value == row.common_flip.value == 0
    assert math.isnan(row.top_decile_share.value)  # no flip that a score could find
    untied = make_row([calm], common={}, names=NAMES, resamples=20)
    assert math.isnan(untied.gap_iou.value)
    assert math.isnan(untied.common_flip.value)
    assert untied.foreground_iou.value == row.foreground_iou.value


def test_runs_on_different_samples_are_refused():
    run, _ = random_run(0)
    other = dataclasses.replace(run, ids=(*run.ids[:-1], "another"))
    with pytest.raises(ArtifactError, match="different samples"):
        make_row([run, other], common=COMMON, names=NAMES)


@pytest.mark.slow
def test_the_picture_is_the_same_bytes_for_the_same_rows_and_shows_every_objective():
    run, _ = random_run(2)
    grid = [(objective, rho) for objective in ("ce", "group-dro") for rho in (0.5, 1.0)]
    rows: list[Row] = [make_row([run], common=COMMON, names={**NAMES, "objective": o, "rho": r}, resamples=50) for o, r in grid]
    svg = sweep_svg(rows)
    assert svg == sweep_svg(rows)
    text = svg.decode()
    assert all(word in text for word in (">ce<", ">group-dro<", ">0.5<", ">1<", "counterfactual", "any foreground"))


def test_the_rows_in_the_docs_are_rows_and_cover_the_grid():
    rows = json.loads((Path(__file__).parents[2] / "docs" / "results" / "shift.json").read_text(encoding="utf-8"))
    assert all(list(row) == [field.name for field in dataclasses.fields(Row)] for row in rows)
    assert all(row["seeds"] >= 3 for row in rows)
    for data in {row["data"] for row in rows}:
        of_one = {(row["objective"], row["rho"]) for row in rows if row["data"] == data}
        assert of_one >= {("ce", rho) for rho in (0.5, 0.8, 0.95, 1.0)} | {("group-dro", 0.95), ("cutmix", 0.95)}
