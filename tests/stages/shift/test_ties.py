"""Classes tied to several contexts, and contexts that no class is tied to: counts, the dial, figures, pasting, and what reads the result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.shift.pasting import drawn, options, write_figures, write_scenes
from tests.stages.shift.test_split import crowd, group_sizes

from figureground.core.errors import InputError
from figureground.data.dataset import open_dataset
from figureground.stages.audit.grouping import build_groups
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.composition import ComposeOptions
from figureground.stages.shift.figures.kind import compose_figures
from figureground.stages.shift.layout import Layout
from figureground.stages.shift.paste import compose_paste
from figureground.stages.shift.placing import scene_slots
from figureground.stages.shift.plan import context_order, dial_ranks, group_counts, home_places, ties
from figureground.stages.shift.sheet import FRAME, contact_sheet
from figureground.stages.shift.split import plan_split

PAIRS = ((0, 1), (0, 1), (2, 3), (2, 3))
"""Two classes share two contexts, two others the other two."""
M2M = ("duck=shore,duck=forest", "hare=shore", "hare=forest", "cat=street,cat=meadow", "heron=street,heron=meadow")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("paste")
    return write_figures(root / "figures"), write_scenes(root / "scenes")


@st.composite
def homes(draw):
    contexts = draw(st.integers(2, 6))
    some = st.lists(st.integers(0, contexts - 1), min_size=1, max_size=contexts - 1, unique=True)
    return contexts, draw(st.lists(some, min_size=1, max_size=5))


@given(homes(), st.integers(0, 70), st.integers(0, 40))
def test_counts_of_any_ties(given_homes, per_class, fortieths):
    """Rows sum; at home together stands rho with halves up, in whole numbers; own contexts differ by one at most, and so do others."""
    contexts, own = given_homes
    counts = group_counts(per_class, rho=fortieths / 40, contexts=contexts, own=own)
    assert counts.min() >= 0
    assert (counts.sum(axis=1) == per_class).all()
    for row, mine in enumerate(own):
        away = np.delete(counts[row], mine)
        assert counts[row, mine].sum() == (2 * fortieths * per_class + 40) // 80
        assert np.ptp(counts[row, mine]) <= 1
        assert np.ptp(away) <= 1
        assert fortieths < 40 or not away.any()
        order = context_order(per_class, rho=fortieths / 40, contexts=contexts, homes=mine, row=row, seed=1)
        assert np.bincount(order, minlength=contexts).tolist() == counts[row].tolist()


@pytest.mark.parametrize(
    ("rho", "wanted"),
    [
        (1.0, [[11, 10, 0, 0], [10, 11, 0, 0], [0, 0, 11, 10], [0, 0, 10, 11]]),
        (0.9, [[10, 9, 1, 1], [9, 10, 1, 1], [1, 1, 10, 9], [1, 1, 9, 10]]),  # 18.9 of 21 at home
        (0.5, [[6, 5, 5, 5], [5, 6, 5, 5], [5, 5, 6, 5], [5, 5, 5, 6]]),  # 10.5: the half goes home
        (0.0, [[0, 0, 11, 10], [0, 0, 10, 11], [11, 10, 0, 0], [10, 11, 0, 0]]),
    ],
)
def test_pairs_of_classes_on_pairs_of_contexts_by_hand(rho, wanted):
    """Twenty-one of each class; the odd one falls to another context from class to class."""
    assert group_counts(21, rho=rho, contexts=4, own=PAIRS).tolist() == wanted


def test_ties_of_unlike_width_by_hand():
    """Of ten, eight at home: in three contexts 3, 3, 2, in two 4 and 4, in one all; two away, each class beginning further around."""
    own = [(0, 2, 3), (4, 1), (3,)]
    wanted = [[3, 1, 3, 2, 1], [0, 4, 1, 1, 4], [0, 1, 1, 8, 0]]
    assert group_counts(10, rho=0.8, contexts=5, own=own).tolist() == wanted


def test_the_order_by_hand():
    """The second class, tied to contexts 0 and 1: ranks 0, 1, ... go to 1 and 0 in turns, those away from the last down to 3 and 2."""
    rank = dial_ranks(6, row=1, seed=0)
    for at_home, wanted in ((0, [2, 3, 2, 3, 2, 3]), (3, [1, 0, 1, 3, 2, 3]), (6, [1, 0, 1, 0, 1, 0])):
        assert context_order(6, rho=at_home / 6, contexts=4, homes=(0, 1), row=1, seed=0).tolist() == [wanted[r] for r in rank]


@pytest.mark.parametrize("row", range(4))
def test_one_step_of_the_dial_brings_one_sample_home(row):
    """And wherever it is at home at one rho, it is at every higher one."""
    orders = [context_order(25, rho=n / 25, contexts=4, homes=PAIRS[row], row=row, seed=3) for n in range(26)]
    for low, high in pairwise(orders):
        (moved,) = np.flatnonzero(low != high)
        assert high[moved] in PAIRS[row]
        assert low[moved] not in PAIRS[row]


def test_scenes_that_results_rest_on_stay():
    """Published pictures have these scenes, of ties of one class to one context; another digest means other pictures."""
    digest = hashlib.sha256()
    for places, contexts in (((0, 1), 2), ((0, 1, 2, 0), 3), ((1, 3, 0, 0, 2), 5)):
        for rho in (0.0, 0.5, 0.8, 0.95, 1.0):
            for train in (20, 203):
                told = {"rho": rho, "train": train, "val": 2, "test": 1, "seed": 5}
                layout = Layout(classes=len(places), contexts=contexts, homes=tuple((place,) for place in places), **told)
                for row in range(len(places)):
                    for numbers in scene_slots(layout.dial("train"), row):
                        digest.update(numbers.astype("<i8").tobytes())
                for place in map(layout.place, range(train, len(layout))):
                    digest.update(f"{place.split}{place.number}{place.row}{place.column}".encode())
    assert digest.hexdigest()[:16] == "c30ad59eb9ae9407"


def test_classes_that_share_contexts_share_their_scenes_out():
    """All at home or all away every sample has a scene of its own; and it keeps it from one rho to the next while it stays."""
    dials = [
        Layout(classes=4, contexts=5, homes=PAIRS, rho=n / 13, train=53, val=0, test=0, seed=3).dial("train") for n in (0, 4, 9, 12, 13)
    ]
    for dial in (dials[0], dials[-1]):
        for column in range(5):
            slots = np.concatenate([slots[placed == column] for slots, placed in (scene_slots(dial, row) for row in range(4))])
            assert np.unique(slots).size == slots.size
            assert slots.size == 0 or np.ptp(slots) < slots.size + dial.classes
    for low, high in pairwise(dials):
        for row in range(4):
            (slots, placed), (later, moved) = scene_slots(low, row), scene_slots(high, row)
            assert np.array_equal(slots[placed == moved], later[placed == moved])


def test_ties_are_checked():
    """One to one around by default; several are kept in order; what would leave nothing to measure is refused."""
    classes, contexts = ("a", "b", "c"), ("x", "y", "z")
    assert ties(classes, contexts[:2]) == {"a": "x", "b": "y", "c": "x"}
    common = {"c": ("z", "x"), "a": "x", "b": ("x", "y")}
    assert ties(classes, contexts, common) == common
    assert home_places(classes, contexts, common) == ((0,), (0, 1), (2, 0))
    for wrong, words in (
        ({**common, "a": ("x", "w")}, "ties class 'a' to 'w', which is no context; there are x, y, z"),
        ({**common, "b": ("x", "y", "z")}, r"ties class 'b' to every context \(x, y, z\), so none is left to break its tie"),
        (dict.fromkeys(classes, ("x", "y")), "ties every class to 'x' and 'y', so class and context would be independent"),
        ({"a": ("x", "y"), "b": ("y", "x"), "c": ("x", "y")}, "ties every class to 'x' and 'y'"),
    ):
        with pytest.raises(InputError, match=words):
            ties(classes, contexts, wrong)


def test_drawn_figures_tied_to_several_grounds():
    """Training as counted by hand, no counterexample at 1, every group alike in the test; moving rho changes the ground alone."""
    asked = ComposeOptions(classes=4, contexts=5, common=M2M, train=40, val=2, test=1, size=32)
    loose, tight = (drawn(compose_figures(dataclasses.replace(asked, rho=rho, val_rho=rho))) for rho in (0.6, 1.0))
    own = {"duck": {"shore", "forest"}, "hare": {"shore", "forest"}, "cat": {"street", "meadow"}, "heron": {"street", "meadow"}}
    for split, n in (("train", 10), ("val", 10)):
        counts = Counter((p.label, p.context) for p in tight if p.split == split)
        assert counts == {(label, context): n // 2 for label, mine in own.items() for context in mine}
    counts = Counter((p.label, p.context) for p in loose if p.split == "train")
    for label, mine in own.items():
        assert [counts[label, context] for context in sorted(mine)] == [3, 3]
        away = [n for (name, context), n in counts.items() if name == label and context not in mine]
        assert sorted(away) == [1, 1, 2]
    assert set(Counter((p.label, p.context) for p in tight if p.split == "test").values()) == {1}
    for a, b in zip(loose, tight, strict=True):
        assert np.array_equal(a.mask, b.mask)
        assert np.array_equal(a.image, b.image) == (a.context == b.context)
        assert a.context == b.context or b.context in own[b.label]


def test_a_context_beside_takes_its_part(sources):
    """Rho's rest is spread over it, the test has its groups, and scenes and figures of the others are those without it."""
    bare, wide, tight = (
        compose_paste(options(sources, train=40, test=2, **more))
        for more in ({"rho": 0.8}, {"rho": 0.8, "beside": ("unused",)}, {"rho": 1.0, "beside": ("unused",), "val_rho": 1.0})
    )
    counts = {name: Counter((p.split, p.label, p.context) for p in drawn(one)) for name, one in (("wide", wide), ("tight", tight))}
    assert [counts["wide"]["train", "duck", context] for context in ("lake", "yard", "unused")] == [16, 2, 2]
    assert [counts["wide"]["train", "hen", context] for context in ("lake", "yard", "unused")] == [2, 16, 2]
    for label in ("duck", "hen"):
        assert [counts["wide"][split, label, "unused"] for split in ("val", "test")] == [3, 2]
    home = {"duck": "lake", "hen": "yard"}
    assert {(label, context) for (split, label, context) in counts["tight"] if split != "test"} == set(home.items())
    assert counts["tight"]["test", "duck", "unused"] == 2
    assert (wide.common, wide.beside) == (bare.common, ("unused",))
    for split in ("train", "val", "test"):
        assert wide.draw.scenes[split][:2] == bare.draw.scenes[split]
        assert wide.draw.figures[split] == bare.draw.figures[split]
    assert tight.details["scenes"]["unused"]["train"] == {"there": 7, "least": 0, "most": 0}


def test_a_data_set_of_several_ties_is_read_back(sources, tmp_path):
    """The file and the manifest say them, and so does what opens it; one to one stays a text."""
    scenes = sources[1]
    asked = options(sources, scenes=str(scenes), common=("duck=lake,duck=unused", "hen=yard"), train=12, val=1, test=1, sheet=1)
    out = run_compose(asked, out=tmp_path / "set")
    assert 'common = {"duck" = ["lake", "unused"], "hen" = "yard"}' in (out / "dataset.toml").read_text()
    dataset = open_dataset(str(out))
    assert dataset.common == {"duck": ("lake", "unused"), "hen": "yard"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["details"]["common"] == {"duck": ["lake", "unused"], "hen": "yard"}
    assert manifest["options"]["common"] == ["duck=lake,duck=unused", "hen=yard"]
    assert not {"beside", "val_rho"} & {*manifest["options"], *manifest["details"]}
    columns = {name: [dataset.attribute(s, name) for s in dataset.samples] for name in ("class", "context")}
    kinds = {group.values: group.kind for group in build_groups(columns, dataset.common).groups if len(group.by) == 2}
    common = {("duck", "lake"), ("duck", "unused"), ("hen", "yard")}
    assert kinds == {
        (c, k): "common" if (c, k) in common else "counterfactual" for c in ("duck", "hen") for k in ("lake", "unused", "yard")
    }


def test_the_sheet_frames_every_own_context():
    """Of three blocks in a row the first and the last."""
    groups = {("a", context): [np.full((64, 64, 3), tint, np.uint8)] for context, tint in (("x", 10), ("y", 80), ("z", 150))}
    sheet = contact_sheet(groups, classes=["a"], contexts=["x", "y", "z"], common={"a": ("z", "x")}, caption="")
    framed = np.argwhere((sheet == FRAME).all(axis=2))[:, 1]
    for tint, tied in ((10, True), (80, False), (150, True)):
        columns = np.flatnonzero((sheet == tint).all(axis=2).any(axis=0))
        assert ((framed > columns.min() - 5) & (framed < columns.min())).any() == tied


def test_a_split_of_real_samples_with_several_ties():
    """Ten of each class at 0.8: four and four at home, one and one elsewhere; validation and test of every group alike."""
    contexts, common = ("k", "l", "m", "n"), {"a": ("k", "l"), "b": ("m", "n")}
    candidates = crowd({(label, context): 20 for label in ("a", "b") for context in contexts})
    plan = plan_split(candidates, rhos=[0.8, 1.0], val=1, test=2, train=20, common=common)
    assert plan.counts[0.8].tolist() == [[4, 4, 1, 1], [1, 1, 4, 4]]
    assert plan.counts[1.0].tolist() == [[5, 5, 0, 0], [0, 0, 5, 5]]
    assert [plan.reached(rho) for rho in (0.8, 1.0)] == [0.8, 1.0]
    assert plan.exact == 20
    assert set(group_sizes(candidates, plan.test).values()) == {2}
    assert sum(group_sizes(candidates, plan.train[1.0])["a", context] for context in ("m", "n")) == 0
    with pytest.raises(InputError, match=r"Possible with 80 samples: rho from 0\.\d+ to 0\.8\d*;"):
        plan_split(candidates, rhos=[1.0], val=1, test=2, train=80, common=common)
