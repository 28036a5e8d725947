"""Who goes where: one test set, training sets of one size, nobody twice, and what a group too small is told."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.stages.shift.plan import declared_ties
from figureground.stages.shift.scenes import joined_scenes
from figureground.stages.shift.split import Candidate, plan_split

COCO_CD = {("cat", "indoor"): 967, ("cat", "outdoor"): 217, ("dog", "indoor"): 217, ("dog", "outdoor"): 967}
"""Samples of each group of the published sets, all together."""


def crowd(sizes: dict[tuple[str, str], int], scene_of: int = 1) -> list[Candidate]:
    """Candidates of groups of these sizes, `scene_of` neighbours of a group to a scene."""
    return [
        Candidate(id=f"{label}-{context}-{i}", label=label, context=context, scene=f"{label}-{context}-s{i // scene_of}")
        for (label, context), n in sizes.items()
        for i in range(n)
    ]


def group_sizes(candidates: list[Candidate], ids: tuple[str, ...]) -> dict[tuple[str, str], int]:
    of = {c.id: (c.label, c.context) for c in candidates}
    assert len(set(ids)) == len(ids)
    return {group: sum(of[i] == group for i in ids) for group in sorted(set(of.values()))}


SIZES = st.tuples(st.integers(2, 3), st.integers(2, 3)).flatmap(
    lambda shape: st.lists(st.integers(6, 30), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
        lambda numbers: {(f"c{i // shape[1]}", f"k{i % shape[1]}"): n for i, n in enumerate(numbers)}
    )
)
RHOS = st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.8, 0.95, 1.0]), min_size=1, max_size=3, unique=True)


@given(SIZES, RHOS, st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.integers(1, 3), st.randoms())
def test_the_laws_of_a_split(sizes, rhos, val, test, seed, scene_of, random):
    """Sizes and classes equal for every rho, groups balanced in val and test, nobody twice, no scene in two splits, order of no account."""
    candidates = crowd(sizes, scene_of)
    given_ = {"rhos": rhos, "val": val, "test": test, "seed": seed}
    try:
        plan = plan_split(candidates, **given_)
    except InputError as error:
        assume("too small" not in str(error))
        raise
    classes, contexts = sorted({c for c, _ in sizes}), sorted({k for _, k in sizes})
    assert set(group_sizes(candidates, plan.val).values()) == {val}
    assert set(group_sizes(candidates, plan.test).values()) == {test}
    assert len({len(ids) for ids in plan.train.values()}) == 1
    scene = {c.id: c.scene for c in candidates}
    parts = [plan.val, plan.test, tuple({i for ids in plan.train.values() for i in ids})]
    for place, part in enumerate(parts):
        for other in parts[:place]:
            assert not {scene[i] for i in part} & {scene[i] for i in other}
    for rho, ids in plan.train.items():
        found = group_sizes(candidates, ids)
        per_class = [sum(found[c, k] for k in contexts) for c in classes]
        assert len(set(per_class)) == 1
        assert plan.counts[rho].tolist() == [[found[c, k] for k in contexts] for c in classes]
        for row, name in enumerate(classes):
            own = found[name, plan.common[name]]
            assert own == math.floor(rho * per_class[row] + 0.5)
            others = [found[name, k] for k in contexts if k != plan.common[name]]
            assert max(others) - min(others) <= 1
    shuffled = list(candidates)
    random.shuffle(shuffled)
    again = plan_split(shuffled, **given_)
    assert (again.val, again.test, again.train, again.unused) == (plan.val, plan.test, plan.train, plan.unused)
    assert plan.unused == len(candidates) - len({i for part in parts for i in part})


@given(SIZES, RHOS, st.integers(0, 2))
def test_the_size_is_the_largest_there_is(sizes, rhos, seed):
    """The size that is found can be asked for and gives the same sets; one more of each class is refused."""
    candidates = crowd(sizes)
    plan = plan_split(candidates, rhos=rhos, val=1, test=1, seed=seed)
    size = len(plan.train[rhos[0]])
    assert plan_split(candidates, rhos=rhos, val=1, test=1, seed=seed, train=size).train == plan.train
    with pytest.raises(InputError, match="too small"):
        plan_split(candidates, rhos=rhos, val=1, test=1, seed=seed, train=size + len(plan.classes))


@pytest.mark.slow
@given(SIZES, RHOS)
def test_the_exact_size_meets_every_rho(sizes, rhos):
    """Where a size is named, it is no larger, gives every rho to the sample, and no size between the two does."""
    plan = plan_split(crowd(sizes), rhos=rhos, val=1, test=1)
    size, classes = len(plan.train[rhos[0]]), len(plan.classes)

    def missed(train):
        other = plan_split(crowd(sizes), rhos=rhos, val=1, test=1, train=train)
        return max(abs(other.reached(rho) - rho) for rho in rhos)

    if plan.exact:
        assert plan.exact <= size
        assert missed(plan.exact) < 1e-9
    assert all(missed(train) > 1e-9 for train in range(max(plan.exact, 0) + classes, size + 1, classes))


def test_one_test_set_whatever_rho_and_size():
    """Test and validation know neither rho nor the size of training; another seed draws others."""
    candidates = crowd(COCO_CD)
    plans = [
        plan_split(candidates, rhos=rhos, val=50, test=125, train=train)
        for rhos, train in (([0.5], 0), ([0.95], 0), ([0.5, 0.8, 1.0], 60), ([0.95], 80))
    ]
    assert len({(p.val, p.test) for p in plans}) == 1
    assert plan_split(candidates, rhos=[0.5], val=50, test=125, seed=1).test != plans[0].test


def test_samples_only_move_where_the_counts_demand():
    """From one rho to the next each group grows or shrinks at one end; a larger size holds a smaller one."""
    candidates = crowd(COCO_CD)
    plan = plan_split(candidates, rhos=[0.5, 0.8, 0.95, 1.0], val=50, test=125)
    of = {c.id: (c.label, c.context) for c in candidates}
    for low, high in ((0.5, 0.8), (0.8, 0.95), (0.95, 1.0)):
        for group in COCO_CD:
            a, b = ({i for i in plan.train[rho] if of[i] == group} for rho in (low, high))
            assert a <= b or b <= a
    small = plan_split(candidates, rhos=[0.8], val=50, test=125, train=40)
    assert set(small.train[0.8]) <= set(plan.train[0.8])


def test_the_published_set_by_hand():
    """COCO-CD at rho = 0.95: 42 cats outdoors are left, so 840 of each class would do, and 792 cats indoors allow 834."""
    plan = plan_split(crowd(COCO_CD), rhos=[0.95], val=50, test=125)
    assert plan.pool.tolist() == [[792, 42], [42, 792]]
    assert plan.counts[0.95].tolist() == [[792, 42], [42, 792]]
    assert len(plan.train[0.95]) == 1668
    assert plan.reached(0.95) == pytest.approx(0.9496, abs=1e-4)
    balanced = plan_split(crowd(COCO_CD), rhos=[0.5, 0.95], val=50, test=125)
    assert [len(ids) for ids in balanced.train.values()] == [170, 170]  # 85 of each class: 43 and 42
    odd = plan_split(crowd(COCO_CD), rhos=[0.95], val=50, test=125, train=101)
    assert odd.counts[0.95].sum(1).tolist() == [51, 50]


def test_which_context_a_class_is_tied_to():
    """As `common` says; the order of the classes decides otherwise, and classes that are absent are left out of it."""
    sizes = {(c, k): 9 for c in ("cat", "dog") for k in ("in", "out")}
    named = plan_split(crowd(sizes), rhos=[1.0], val=1, test=1, common={"cat": "out", "dog": "in"})
    assert named.counts[1.0].tolist() == [[0, 8 - 1], [8 - 1, 0]]
    turned = plan_split(crowd(sizes), rhos=[1.0], val=1, test=1, classes=["background", "dog", "cat"])
    assert (turned.classes, dict(turned.common)) == (("dog", "cat"), {"dog": "in", "cat": "out"})


PAIRS = st.dictionaries(st.text("abc é-", min_size=1).map(str.strip).filter(bool), st.sampled_from(["in", "out", "a=b"]), min_size=1)


@given(PAIRS, st.data())
def test_ties_can_be_repeated_or_listed(pairs, data):
    """However they are parted into texts, with blanks or not, the same ties come out; one said again is refused wherever it stands."""
    parts = [f"{name}{data.draw(st.sampled_from(['=', ' = ']))}{context}" for name, context in pairs.items()]
    cuts = data.draw(st.lists(st.booleans(), min_size=len(parts) - 1, max_size=len(parts) - 1))
    texts = [parts[0]]
    for part, cut in zip(parts[1:], cuts, strict=True):
        texts = [*texts, part] if cut else [*texts[:-1], f"{texts[-1]}, {part}"]
    assert declared_ties(texts) == pairs
    again = data.draw(st.sampled_from(sorted(pairs)))
    assert declared_ties([*texts, f"{again}=far"]) == {**pairs, again: (pairs[again], "far")}
    for doubled in ([*texts, f"{again}={pairs[again]}"], [f"{texts[0]},{again}={pairs[again]}", *texts[1:]]):
        with pytest.raises(InputError, match="twice"):
            declared_ties(doubled)


@pytest.mark.parametrize("text", ["", "cat", "cat=", "=in", "cat=in,", "cat=in,,dog=out", "cat:in"])
def test_a_tie_has_a_class_and_a_context(text):
    with pytest.raises(InputError, match="must be CLASS=CONTEXT"):
        declared_ties([text])


def test_names_with_commas_are_known_from_the_data():
    """As one flag for each or as a list; the longest known name wins, and without known names commas part."""
    known = {"classes": ["cat", "cat, big", "a=b", "dog"], "contexts": ["in", "in, far", "out"]}
    for texts in (["cat, big=in, far", "a=b=out", "cat=in"], ["cat, big=in, far,a=b=out,cat=in"]):
        assert declared_ties(texts, **known) == {"cat, big": "in, far", "a=b": "out", "cat": "in"}
    assert declared_ties(["cat=in,dgo=out"], **known) == {"cat": "in", "dgo": "out"}
    with pytest.raises(InputError, match=r"got 'big'.*A name with a comma in it must be exactly as in the data"):
        declared_ties(["cat=in, big"], **known)
    with pytest.raises(InputError, match="twice"):
        declared_ties(["cat, big=in", "cat, big=in"], **known)
    sizes = {(c, k): 9 for c in ("cat, big", "dog") for k in ("in", "out, far")}
    common = declared_ties(["cat, big=out, far,dog=in"], classes=["cat, big", "dog"], contexts=["in", "out, far"])
    assert plan_split(crowd(sizes), rhos=[1.0], val=1, test=1, common=common).common == {"cat, big": "out, far", "dog": "in"}


def test_a_group_too_small_says_what_is_possible():
    """The message names group, number and need; the rhos and the size it calls possible are, and the next ones are not."""
    candidates = crowd(COCO_CD)
    setting = {"val": 50, "test": 125}
    with pytest.raises(InputError) as refused:
        plan_split(candidates, rhos=[0.5], train=1000, **setting)
    text = str(refused.value)
    assert text.startswith("group cat-outdoor is too small for rho = 0.5 with 1000 training samples: 250 are needed and it has 42 ")
    assert "1 more group is too small" in text
    low, high = (float(n) for n in re.search(r"rho from (\S+) to (\S+);", text).groups())
    for rho in (low, high):
        assert len(plan_split(candidates, rhos=[rho], train=1000, **setting).train[rho]) == 1000
    assert (low, high) == (0.915, 1.0)  # 458 of 500 cats indoors are enough, and 457.5 become 458
    with pytest.raises(InputError, match="too small"):
        plan_split(candidates, rhos=[low - 0.0001], train=1000, **setting)
    most = int(re.search(r"at most (\d+) samples", text).group(1))
    assert len(plan_split(candidates, rhos=[0.5], train=most, **setting).train[0.5]) == most
    with pytest.raises(InputError, match="too small"):
        plan_split(candidates, rhos=[0.5], train=most + 1, **setting)


def cells(train: int, classes: int) -> list[float]:
    """A rho for every outcome there is at a size: between any two neighbours at which a class of it gains a sample at home, and both ends."""
    sizes = {train // classes, train // classes + 1}
    ends = sorted({Fraction(0), Fraction(1)} | {Fraction(2 * k + 1, 2 * n) for n in sizes if n for k in range(n)})
    return [0.0, *(float((a + b) / 2) for a, b in pairwise(ends)), 1.0]


def works(candidates: list[Candidate], rhos: list[float], **sizes: int) -> bool:
    try:
        plan = plan_split(candidates, rhos=rhos, **sizes)
    except InputError:
        return False
    assert {len(ids) for ids in plan.train.values()} == {sizes["train"]}
    return True


@pytest.mark.slow
@given(SIZES, RHOS, st.integers(1, 60))
@settings(max_examples=60)
def test_what_a_refusal_calls_possible_is(sizes, rhos, train):
    """For any groups: the named rhos and the named size work, the next ones do not, and no rho or size beyond them does."""
    candidates, held = crowd(sizes), {"val": 1, "test": 1}
    try:
        plan_split(candidates, rhos=rhos, train=train, **held)
        return
    except InputError as error:
        text = str(error)
    possible = [rho for rho in cells(train, len({c for c, _ in sizes})) if works(candidates, [rho], train=train, **held)]
    if span := re.search(r"rho from (\S+) to (\S+);", text):
        low, high = (float(n) for n in span.groups())
        assert all(works(candidates, [rho], train=train, **held) for rho in np.linspace(low, high, 4))
        outside = [rho for rho in (low - 1e-4, high + 1e-4) if 0 <= rho <= 1]
        assert not any(works(candidates, [rho], train=train, **held) for rho in outside)
        assert all(low - 1e-4 < rho < high + 1e-4 for rho in possible)
    else:
        assert "no rho;" in text
        assert not possible
    most = int(re.search(r"at most (\d+) samples", text).group(1))
    assert most < train
    assert [works(candidates, rhos, train=size, **held) for size in range(max(most, 1), train + 1)] == [most > 0] + [False] * (
        train - max(most, 1)
    )


def test_a_narrow_span_is_found():
    """Of 151 exactly one at home and of 150 none: rho is from 0.5 / 151 to below 0.5 / 150, and no number of four decimals is."""
    candidates = crowd({("a", "x"): 1, ("a", "y"): 150, ("b", "x"): 150, ("b", "y"): 0})
    with pytest.raises(InputError, match=r"rho from 0\.00331126 to 0\.00333333; possible at rho = 1: at most 1 samples") as told:
        plan_split(candidates, rhos=[1.0], val=0, test=0, train=301)
    assert "no rho" not in str(told.value)
    for rho in (0.00331126, 0.00333333):
        assert plan_split(candidates, rhos=[rho], val=0, test=0, train=301).counts[rho].tolist() == [[1, 150], [150, 0]]


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=4, max_size=60),
    st.integers(0, 7),
    st.integers(0, 7),
    st.integers(0, 3),
)
@settings(max_examples=200)
def test_what_a_refusal_with_scenes_calls_possible_is(rows, val, test, seed):
    """Scenes of mixed groups: the named size of the refused set works beside what is named, and the next one does not."""
    groups = [("cat", "in"), ("cat", "out"), ("dog", "in"), ("dog", "out")]
    rows = [*((g, 10 + g) for g in range(4)), *rows]
    candidates = [Candidate(id=f"s{i}", label=groups[g][0], context=groups[g][1], scene=f"scene {s}") for i, (g, s) in enumerate(rows)]

    def fits(**sizes: int) -> bool:
        try:
            plan_split(candidates, rhos=[1.0], seed=seed, **sizes)
        except InputError as error:
            return "training samples" in str(error)
        return True

    try:
        plan_split(candidates, rhos=[1.0], val=val, test=test, seed=seed)
        return
    except InputError as error:
        text = str(error)
    assume("training samples" not in text)
    asked = {"val": val, "test": test}
    if alone := re.search(r"together can have at most (\d+) of each group", text):
        most = int(alone.group(1))
        assert all(fits(val=n, test=most - n) and not fits(val=n, test=most + 1 - n) for n in range(most + 1))
    else:
        found = re.search(r"--(val|test) (\d+) works.*?, and --\1 (\d+) is refused", text) or re.search(
            r"not (e)ven --(val|test) (1) works", text
        )
        of, least, fails = (found.group(2), 0, 1) if found.group(1) == "e" else (found.group(1), int(found.group(2)), int(found.group(3)))
        if "without --val" in text:
            assert not fits(val=val, test=0)
            asked["val"] = 0
        assert least < fails <= {"val": val, "test": test}[of]
        assert fits(**{**asked, of: least})
        assert not fits(**{**asked, of: fails})


@pytest.mark.parametrize(
    ("sizes", "given_", "words"),
    [
        (COCO_CD, {"rhos": [1.2]}, r"`rho` must be in \[0, 1\].*got 1.2"),
        (COCO_CD, {"rhos": [float("nan")]}, r"`rho` must be in \[0, 1\]"),
        (COCO_CD, {"rhos": []}, "at least once"),
        (COCO_CD, {"rhos": [0.5], "val": -1}, "at least 0"),
        (
            COCO_CD,
            {"rhos": [0.5], "val": 100, "test": 125},
            r"2 groups are too small for --val 100 beside --test 125: cat-outdoor \(217 samples\), dog-indoor \(217.*at most 217 of each",
        ),
        (COCO_CD, {"rhos": [0.5], "common": {"cat": "indoor"}}, "no context for class 'dog'"),
        (COCO_CD, {"rhos": [0.5], "common": {"cat": "indoor", "dog": "moon"}}, "which is no context"),
        (
            COCO_CD,
            {"rhos": [0.5], "common": {"cat": "indoor", "dog": "outdoor", "cow": "outdoor"}},
            r"ties 'cow', which is no class here\..* There are cat, dog",
        ),
        (COCO_CD, {"rhos": [0.5], "common": {"cat": "indoor", "dgo": "outdoor"}}, "'dgo', which is no class here. Did you mean `dog`"),
        (COCO_CD, {"rhos": [0.9], "common": {"cat": "indoor", "dog": "indoor"}}, "every class to 'indoor', so class and context would be"),
        ({("cat", "in"): 9, ("cat", "out"): 9}, {"rhos": [0.5]}, "at least two values of class; got cat"),
        ({("cat", "in"): 9, ("dog", "in"): 9}, {"rhos": [0.5]}, "at least two values of context; got in"),
        ({}, {"rhos": [0.5]}, "at least two values of class; got none"),
        (
            {("cat", "in"): 9, ("dog", "out"): 9},
            {"rhos": [0.5], "test": 1},
            r"2 groups are too small for --test 1: cat-out \(0 samples\), dog-in \(0 samples\)\..* for no class has enough in every context",
        ),
        (
            {("cat", "in"): 2, ("cat", "out"): 9, ("dog", "in"): 9, ("dog", "out"): 9},
            {"rhos": [1.0], "test": 2},
            "group cat-in is too small",
        ),
    ],
)
def test_bad_input(sizes, given_, words):
    with pytest.raises(InputError, match=words):
        plan_split(crowd(sizes), **{"val": 0, "test": 0, **given_})


def test_every_group_too_small_is_named_with_the_classes_that_remain():
    """Up to eight groups by name, then a number; what the message advises is possible."""
    sizes = {(f"c{i:02}", k): 0 if i < 10 and k == "in" else 4 for i in range(13) for k in ("in", "out")} | {("c10", "in"): 3}
    with pytest.raises(InputError) as refused:
        plan_split(crowd(sizes), rhos=[0.5], val=2, test=2)
    text = str(refused.value)
    assert text.startswith("11 groups are too small for --test 2 beside --val 2: c00-in (0 samples), c01-in (0 samples), ")
    assert "c07-in (0 samples) and 3 more. Val and test together can have at most 0 of each group" in text
    assert text.endswith("use the classes that have enough in every context: --classes c11 --classes c12")
    kept = [c for c in crowd({**sizes, ("c11", "in"): 9, ("c12", "out"): 9}) if c.label in ("c11", "c12")]
    assert len(plan_split(kept, rhos=[1.0], val=1, test=1).val) == 4


def test_classes_that_remain_are_tried_where_scenes_stay_whole():
    """Enough samples in one scene are not enough for two sets; the classes advised can be split."""
    sizes = {(c, k): 12 for c in ("ant", "bee", "cow", "dog") for k in ("in", "out")}
    whole = {("ant", "in"), ("cow", "out")}
    candidates = [c for g, n in sizes.items() for c in crowd({g: n}, scene_of=12 if g in whole else 1)]
    with pytest.raises(InputError) as refused:
        plan_split(candidates, rhos=[0.5], val=2, test=2)
    text = str(refused.value)
    assert "ant-in (12 samples in 1 scene, which stay whole), cow-out (12 samples in 1 scene, which stay whole)." in text
    assert text.endswith(": --classes bee --classes dog")
    assert plan_split([c for c in candidates if c.label in ("bee", "dog")], rhos=[0.5], val=2, test=2).test


def test_scenes_stay_whole():
    """A scene goes to one split although it holds more than that needs; what is over is used by nobody."""
    sizes = {(c, k): 40 for c in ("cat", "dog") for k in ("in", "out")}
    candidates = crowd(sizes, scene_of=8)
    plan = plan_split(candidates, rhos=[0.5], val=5, test=5)
    assert set(group_sizes(candidates, plan.test).values()) == {5}
    assert plan.pool.tolist() == [[24, 24], [24, 24]]
    assert plan.unused == 4 * 2 * 3
    words = r"4 groups are too small .*: cat-in \(40 samples in 1 scene, which stay whole\), .* not even --val 1 works beside --test 5\."
    with pytest.raises(InputError, match=words):
        plan_split(crowd(sizes, scene_of=40), rhos=[0.5], val=5, test=5)
    with pytest.raises(InputError, match=r"--val 20 works beside --test 20, and --val 21 is refused\."):
        plan_split(crowd(sizes, scene_of=20), rhos=[0.5], val=30, test=20)


def test_scenes_that_fit_are_taken_first():
    """Ten single samples and one scene of thirty: the test set of ten leaves the large scene to training."""
    sizes = {(c, k): 40 for c in ("cat", "dog") for k in ("in", "out")}
    candidates = [
        Candidate(id=c.id, label=c.label, context=c.context, scene=c.id if i % 40 < 10 else f"{c.label}{c.context}")
        for i, c in enumerate(crowd(sizes))
    ]
    for seed in range(5):
        assert plan_split(candidates, rhos=[0.5], val=0, test=10, seed=seed).pool.tolist() == [[30, 30], [30, 30]]


def test_a_scene_with_several_groups_counts_for_each():
    """Videos that show every group: test takes whole videos, and no video is in two splits."""
    candidates = [
        Candidate(id=f"{c}{k}{v}", label=c, context=k, scene=f"video {v}") for c in ("cat", "dog") for k in ("in", "out") for v in range(12)
    ]
    plan = plan_split(candidates, rhos=[0.5, 1.0], val=2, test=3)
    assert set(group_sizes(candidates, plan.test).values()) == {3}
    assert plan.pool.tolist() == [[7, 7], [7, 7]]


def test_scenes_are_joined_through_others():
    """Samples a and b share a bird, b and c a place: all three are one scene; an empty value joins nobody; attributes do not mix."""
    ids = ["d", "c", "b", "a", "e"]
    birds, places = ["x", "y", "z", "z", ""], ["", "p", "p", "x", ""]
    assert joined_scenes(ids, [birds, places]) == ["d", "a", "a", "a", "e"]
    assert joined_scenes(ids, []) == ids
    assert joined_scenes([], [[]]) == []
