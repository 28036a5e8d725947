"""Validation that is tied as training is: counts, what stays when its rho moves, and that nothing else knows of it."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.shift.pasting import drawn, options, write_figures, write_scenes

from figureground.core.errors import InputError
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.compose_options import recorded_options
from figureground.stages.shift.composition import ComposeOptions
from figureground.stages.shift.figures.kind import compose_figures
from figureground.stages.shift.layout import Layout
from figureground.stages.shift.paste import compose_paste


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("paste")
    return write_figures(root / "figures"), write_scenes(root / "scenes")


@st.composite
def tied(draw):
    classes, contexts = draw(st.integers(2, 4)), draw(st.integers(2, 5))
    homes = tuple((home,) for home in draw(st.lists(st.integers(0, contexts - 1), min_size=classes, max_size=classes)))
    sizes = {name: draw(st.integers(least, 6)) for name, least in (("train", 0), ("val", 1), ("test", 0))}
    rho = draw(st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.95, 1.0]))
    return Layout(classes=classes, contexts=contexts, homes=homes, rho=0.8, val_rho=rho, seed=draw(st.integers(0, 3)), **sizes)


@given(layout=tied())
def test_the_counts_of_tied_validation(layout):
    """As many of each class as before; rho of them at home, halves up; elsewhere as even as can be; with 1 no counterexample."""
    counts = np.zeros((layout.classes, layout.contexts), int)
    for index in range(layout.train, layout.train + layout.val * layout.groups):
        place = layout.place(index)
        assert (place.split, place.number) == ("val", index - layout.train)
        counts[place.row, place.column] += 1
    assert (counts.sum(axis=1) == layout.val * layout.contexts).all()
    for row, (home,) in enumerate(layout.homes):
        exact = layout.val_rho * layout.val * layout.contexts  # every rho here is a sum of halves, so this is, too, or far from a half
        assert -0.5 < counts[row, home] - exact <= 0.5 + 1e-9
        others = np.delete(counts[row], home)
        assert np.ptp(others) <= 1
        assert layout.val_rho < 1 or not others.any()
    assert layout.dial("val").reached == pytest.approx(
        counts[np.arange(layout.classes), [home for (home,) in layout.homes]].sum() / counts.sum()
    )


@given(layout=tied(), higher=st.floats(0, 1))
def test_nothing_else_moves_with_it(layout, higher):
    """Training and test stand where they stood; a validation sample stays where it is or goes home, and keeps class and number."""
    low, high = sorted((layout.val_rho, higher))
    even, one, other = (dataclasses.replace(layout, val_rho=rho) for rho in (-1.0, low, high))
    assert len(even) == len(one) == len(other)
    for index in range(len(layout)):
        a, b, c = one.place(index), other.place(index), even.place(index)
        assert (a.split, a.number, a.row) == (b.split, b.number, b.row)
        if a.split == "val":
            assert b.column in (a.column, *layout.homes[a.row])
        else:
            assert a == b == c


def test_by_hand():
    """Two classes, two contexts, four of each group: eight of each class, six of them at home at 0.75; then, untouched, the test."""
    layout = Layout(classes=2, contexts=2, homes=((0,), (1,)), rho=0.5, train=0, val=4, test=1, seed=0, val_rho=0.75)
    places = [layout.place(index) for index in range(20)]
    assert [p.row for p in places[:16]] == [0, 1] * 8
    assert Counter((p.row, p.column) for p in places[:16]) == {(0, 0): 6, (0, 1): 2, (1, 1): 6, (1, 0): 2}
    assert [(p.split, p.row, p.column) for p in places[16:]] == [("test", 0, 0), ("test", 0, 1), ("test", 1, 0), ("test", 1, 1)]


def test_a_val_rho_that_whole_samples_do_not_give_is_told():
    """Ten of each class cannot be 0.95; twenty can, and the note says so in the words of its option."""
    layout = Layout(classes=2, contexts=2, homes=((0,), (1,)), rho=0.5, train=20, val=5, test=0, seed=0, val_rho=0.95)
    assert layout.notes == ("val_rho = 0.95 becomes 1.000 with 20 validation samples; --val 10 meets it",)
    assert dataclasses.replace(layout, val=10).notes == ()
    assert dataclasses.replace(layout, val=0).notes == ()


def test_drawn_figures_keep_all_but_their_ground():
    """Masks, labels and what is told of figures stay from one val_rho to the next; whoever keeps the ground keeps every pixel."""
    asked = ComposeOptions(train=4, val=3, test=1, size=32, contexts=3)
    by_rho = [drawn(compose_figures(dataclasses.replace(asked, val_rho=rho))) for rho in (-1.0, 0.0, 0.5, 1.0)]
    moved = []
    for one, other in pairwise(by_rho):
        for a, b in zip(one, other, strict=True):
            if a.split != "val":
                assert np.array_equal(a.image, b.image)
                assert (a.id, a.context, a.attributes) == (b.id, b.context, b.attributes)
            elif one is not by_rho[0]:
                assert (a.id, a.label, a.attributes) == (b.id, b.label, b.attributes)
                assert np.array_equal(a.mask, b.mask)
                assert np.array_equal(a.image, b.image) == (a.context == b.context)
        moved.append(sum(a.context != b.context for a, b in zip(one, other, strict=True)))
    assert moved[1:] == [10, 8]  # of nine each: 5 go home at 0.5, then the other 4
    assert len({p.attributes["figure"] for p in by_rho[3] if p.split == "val"}) == 18
    assert all(p.context == {"duck": "shore", "hare": "forest"}[p.label] for p in by_rho[3] if p.split == "val")
    # the figures of validation with all groups alike are the first ones of tied validation
    alike = {p.attributes["figure"]: p.mask for p in by_rho[0] if p.split == "val"}
    assert len(alike) == 6
    for picture in by_rho[3]:
        if (name := picture.attributes["figure"]) in alike:
            assert np.array_equal(alike[name], picture.mask)
            alike.pop(name)
    assert not alike


def test_pasted_figures_keep_all_but_their_scene(sources):
    """Likewise, with scenes that no other split has; training and test as without the option."""
    by_rho = [drawn(compose_paste(options(sources, train=6, test=2, val_rho=rho))) for rho in (-1.0, 0.0, 0.5, 1.0)]
    for weaker, stronger in pairwise(by_rho[1:]):
        for a, b in zip(weaker, stronger, strict=True):
            kept = [column for column in a.attributes if column != "ground"]
            assert [a.attributes[c] for c in kept] == [b.attributes[c] for c in kept]
            assert np.array_equal(a.mask, b.mask)
            assert (a.context == b.context) == (a.attributes["ground"] == b.attributes["ground"])
    for pictures in by_rho[1:]:
        for a, b in zip(by_rho[0], pictures, strict=True):
            assert a.split == "val" or (np.array_equal(a.image, b.image) and a.attributes == b.attributes)
        for column in ("figure", "ground"):
            used = {split: {p.attributes[column] for p in pictures if p.split == split} for split in ("train", "val", "test")}
            assert not used["val"] & (used["train"] | used["test"])
    counts = Counter((p.label, p.context) for p in by_rho[3] if p.split == "val")
    assert counts == {("duck", "lake"): 6, ("hen", "yard"): 6}


def test_uses_of_tied_validation_are_counted_and_bounded(sources):
    """What the manifest will say is what the pictures say; the largest possible number is told and is possible."""
    asked = options(sources, train=4, test=1, val=7, val_rho=1.0)
    composition = compose_paste(asked)
    pictures = [p for p in drawn(composition) if p.split == "val"]
    for column, key, what in (("figure", "label", "figures"), ("ground", "context", "scenes")):
        for name, told in ((name, splits["val"]) for name, splits in composition.details[what].items()):
            times = Counter(p.attributes[column] for p in pictures if getattr(p, key) == name)
            assert (told["most"], told["least"]) == (max(times.values()), min(times.values()) if len(times) == told["there"] else 0)
    with pytest.raises(InputError, match=r"class 'duck' has 1 figures for val, .* at most 6 times \(`uses`\): enough for `val` = 3; got 7"):
        compose_paste(dataclasses.replace(asked, uses=6))
    compose_paste(dataclasses.replace(asked, uses=6, val=3))
    many = dataclasses.replace(asked, held_val=0.5, uses=3)  # 4 figures a class and 6 scenes a context
    with pytest.raises(InputError, match=r"'duck' has 4 figures for val.* enough for `val` = 6"):
        compose_paste(many)


def test_the_data_set_says_it(tmp_path):
    """Groups in the manifest and the table of samples, the option in the manifest, and nothing of it where it is not given."""
    asked = ComposeOptions(train=4, val=2, test=1, size=32, sheet=1)
    out = run_compose(dataclasses.replace(asked, val_rho=1.0), out=tmp_path / "tied")
    plain = run_compose(asked, out=tmp_path / "plain")
    told = _manifest(out)
    assert told["options"]["val_rho"] == 1.0
    assert told["details"]["groups"]["val"] == {"duck": {"shore": 4}, "hare": {"forest": 4}}
    assert told["details"]["groups"]["test"] == {"duck": {"shore": 1, "forest": 1}, "hare": {"shore": 1, "forest": 1}}
    assert told["key"] != _manifest(plain)["key"]
    assert "val_rho" not in _manifest(plain)["options"]
    with (out / "samples.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "val"]
    assert Counter((row["label"], row["context"]) for row in rows) == {("duck", "shore"): 4, ("hare", "forest"): 4}
    assert "val_rho" not in recorded_options(asked)
    assert recorded_options(dataclasses.replace(asked, val_rho=0.5))["val_rho"] == 0.5


def _manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


@pytest.mark.parametrize("val_rho", [-0.5, 1.01, -2.0, float("nan")])
def test_what_is_no_part_is_refused(val_rho, tmp_path):
    with pytest.raises(InputError, match=r"`val_rho` must be in \[0, 1\].* or -1 for every group alike; got"):
        run_compose(ComposeOptions(val_rho=val_rho), out=tmp_path / "set")
    assert not list(tmp_path.iterdir())
