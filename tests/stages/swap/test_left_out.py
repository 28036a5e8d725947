"""Pictures that are no background, failures that are allowed later, and what a proof says where no masks judge."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.stages.swap.world import FILL, MAKE, files_of, own_form, pictures, small_world
from tests.support import Watcher

from figureground.core.errors import FormatError, InputError
from figureground.data.backgrounds import read_backgrounds
from figureground.data.grids import Thresholds, write_grids
from figureground.data.paths import content_digest, read_bytes
from figureground.stages.swap.build import run_build
from figureground.stages.swap.infill import run_infill
from figureground.stages.swap.proof import proof_sentence

NAMES = tuple(f"s{i}" for i in range(8))
JUDGED = {
    "held_out": 40,
    "over": "patches",
    **{
        name: {"value": value, "low": value - 0.1, "high": value + 0.1} for name, value in (("iou", 0.7), ("kept", 0.8), ("leakage", 0.125))
    },
    "hidden": {"value": None, "low": None, "high": None},
}


def grids(folder, *, hidden, **details):
    """Of 6 x 6 patches, four of which are cut out and `hidden` filled."""
    cells = np.full(36, 0.95, np.float32)
    cells[:hidden], cells[:4] = 0.6, 0.1
    every = {name: cells.reshape(6, 6) for name in NAMES}
    return write_grids(folder, every, thresholds=Thresholds(tight=0.5, loose=0.9), details=details)


def unmasked(folder):
    return own_form(folder, pictures(8), {name: ("cat", "dog")[i % 2] for i, name in enumerate(NAMES)}, {})


@pytest.mark.parametrize(("hidden", "limit", "left"), [(32, 0.9, 8), (33, 0.9, 0), (33, 1.0, 8), (36, 1.0, 0)])
def test_a_picture_of_which_nearly_all_has_to_be_filled_is_no_background(tmp_path, hidden, limit, left):
    """32 of 36 patches are 0.889 and 33 are 0.917 of the picture; at 1 only a hole that leaves nothing is too large."""
    options = dataclasses.replace(FILL, masks=f"grids:{grids(tmp_path / 'g', hidden=hidden)}", grow=0, filled_high=limit)
    data = unmasked(tmp_path / "d")
    if not left:
        with pytest.raises(InputError, match=r"no picture is left for a background of 8 pictures \(8 full-loose\)"):
            run_infill(data, options=options, out=tmp_path / "bg")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "g"]  # nothing to go on from
        return
    table = pq.read_table(run_infill(data, options=options, out=tmp_path / "bg") / "grounds.parquet").to_pydict()
    assert (table["gates"], table["filled"]) == ([[]] * 8, [hidden / 36] * 8)


def test_a_background_of_which_nothing_is_left_at_its_size_is_none(tmp_path):
    """Where the hole leaves one row of 24, a picture of 4 px has none: it would be plain grey."""

    def change(some, labels, masks):
        masks["s2"][1:] = masks["s2"].max()

    data = small_world(tmp_path / "d", change=change)
    options = dataclasses.replace(FILL, grow=0, filled_high=1.0, coverage_high=1.0)
    whole = read_backgrounds(run_infill(data, options=options, out=tmp_path / "whole"))
    small = run_infill(data, options=dataclasses.replace(options, size=4), out=tmp_path / "small")
    assert bool(whole.images[2])
    assert not read_backgrounds(small).images[2]
    assert pq.read_table(small / "grounds.parquet").to_pydict()["gates"] == [[]] * 2 + [["full-loose"]] + [[]] * 5
    assert len(list((small / "images").iterdir())) == 7


class Counter(Watcher):
    """Keeps how many steps were done before, too."""

    def __init__(self):
        super().__init__()
        self.before = []

    def track(self, what, *, total, unit, done=0):
        self.before.append(done)
        return super().track(what, total=total, unit=unit, done=done)


def test_failures_that_are_allowed_later_cost_nothing_that_was_done(tmp_path):
    """It goes on behind the pictures that were read, ends as if they had been allowed at once, and refuses where fewer are."""
    data, (first, second) = small_world(tmp_path / "d", 70), (Counter(), Counter())
    (tmp_path / "d" / "s50.png").write_bytes((tmp_path / "d" / "s50.png").read_bytes()[:200])
    with pytest.raises(FormatError, match=r"s50.*--max-failures N$"):
        run_infill(data, options=FILL, out=tmp_path / "bg", reporter=first)
    allowed = dataclasses.replace(FILL, max_failures=1)
    bank = run_infill(data, options=allowed, out=tmp_path / "bg", reporter=second)
    assert (first.before, second.before) == ([0], [32])
    at_once = run_infill(data, options=allowed, out=tmp_path / "at-once")
    assert files_of(bank) == files_of(at_once)
    for stage, given, options in ((run_infill, (data,), FILL), (run_build, (bank, data), MAKE)):
        out = bank if stage is run_infill else stage(*given, options=options, out=tmp_path / "o")
        again = Counter()
        assert stage(*given, options=dataclasses.replace(options, max_failures=9), out=out, reporter=again) == out
        assert again.before == []
    with pytest.raises(FormatError, match=r"s50.*--max-failures N$"):
        run_infill(data, options=FILL, out=bank)
    assert files_of(bank) == files_of(at_once)


def test_without_masks_the_proof_says_what_held_out_labels_said_of_the_detector(tmp_path):
    data = unmasked(tmp_path / "d")
    for name, given in (("judged", {"judged": JUDGED}), ("unjudged", {})):
        where = grids(tmp_path / f"g-{name}", hidden=9, **given)
        bank = run_infill(data, options=dataclasses.replace(FILL, masks=f"grids:{where}"), out=tmp_path / f"bg-{name}")
        proof = json.loads((run_build(bank, data, out=tmp_path / name) / "proof.json").read_text())
        assert (proof["masks"], proof["detector"]) == (None, given.get("judged"))
        said = {
            "judged": "On its 40 held-out pictures, by patches, the detector cut out 80.0 % of the figure, and 12.5 % of what it cut out was "
            "ground.",
            "unjudged": "No masks say how much of what was cut out is old ground.",
        }[name]
        assert proof_sentence(proof).endswith(said)


@pytest.mark.parametrize("change", [{"tight": 0.2}, {"loose": 0.95}, {"refine": "guided"}])
def test_of_other_masks_than_the_judged_ones_the_detector_says_nothing(tmp_path, change):
    data, where = unmasked(tmp_path / "d"), grids(tmp_path / "g", hidden=9, judged=JUDGED)
    bank = run_infill(data, options=dataclasses.replace(FILL, masks=f"grids:{where}", **change), out=tmp_path / "bg")
    proof = json.loads((run_build(bank, data, out=tmp_path / "o") / "proof.json").read_text())
    assert proof["detector"] is None
    assert proof_sentence(proof).endswith("No masks say how much of what was cut out is old ground.")


@pytest.mark.parametrize("other", [0, 5])
def test_grids_of_other_pictures_under_the_same_ids_are_refused(tmp_path, other):
    """The first one before anything is begun."""
    data, where = unmasked(tmp_path / "d"), grids(tmp_path / "g", hidden=9)
    table = pq.read_table(where / "grids.parquet")
    images = {sample.id: sample.image for sample in data.samples}
    digests = pa.array([content_digest(read_bytes(images[name])) for name in table["id"].to_pylist()], pa.string())
    pq.write_table(table.set_column(table.column_names.index("picture"), "picture", digests), where / "grids.parquet")
    options = dataclasses.replace(FILL, masks=f"grids:{where}")
    run_infill(data, options=options, out=tmp_path / "same")
    shutil.copyfile(images["s1"], images[f"s{other}"])
    with pytest.raises(InputError, match=f"was made of other data: the picture of sample 's{other}' is not .*s{other}.png"):
        run_infill(data, options=options, out=tmp_path / "bg")
    assert (tmp_path / "bg.partial").exists() == (other > 0)


def test_fitted_edges_that_drop_most_figures_are_told(tmp_path):
    """Blocks of 4 of 36 patches vanish where they are smoothed below a low bound."""
    data, where = unmasked(tmp_path / "d"), grids(tmp_path / "g", hidden=9)
    for refine, told in (("none", 0), ("guided", 1)):
        said = Watcher()
        options = dataclasses.replace(FILL, masks=f"grids:{where}", refine=refine, tight=0.11)
        with contextlib.suppress(InputError):  # it may be all of them
            run_infill(data, options=options, out=tmp_path / refine, reporter=said)
        assert sum("can be cut out with --refine" in line for line in said.said) == told


def test_where_masks_judge_the_detector_is_not_quoted(tmp_path):
    bank = run_infill(
        small_world(tmp_path / "d"), options=dataclasses.replace(FILL, masks=f"grids:{grids(tmp_path / 'g', hidden=9, judged=JUDGED)}"),
        out=tmp_path / "bg",
    )  # fmt: skip
    proof = json.loads((run_build(bank, small_world(tmp_path / "e"), out=tmp_path / "o") / "proof.json").read_text())
    assert proof["detector"] == JUDGED
    assert "is old ground." in proof_sentence(proof)
    assert "held-out" not in proof_sentence(proof)
