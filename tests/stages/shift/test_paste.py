"""Pasting: what moves with rho and what does not, splits that share nothing, exact masks, and the words for data that will not do."""

from __future__ import annotations

import csv
import pickle
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.stages.shift.pasting import RED, drawn, options, write_figures, write_scenes

from figureground.core.errors import FormatError, InputError
from figureground.runs.executor import open_executor
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.composition import ComposeOptions
from figureground.stages.shift.ingredients import hold_out
from figureground.stages.shift.layout import Layout
from figureground.stages.shift.paste import compose_paste
from figureground.stages.shift.placing import scene_slots
from figureground.stages.shift.plan import group_counts


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("paste")
    return write_figures(root / "figures"), write_scenes(root / "scenes")


def numbers_of(draw, indices) -> list[tuple]:
    """What a picture is, in a form that can be compared; the worker of another process."""
    return [
        (p.id, p.image.tobytes(), p.mask.tobytes(), p.label, p.split, p.context, tuple(p.attributes.items())) for p in map(draw, indices)
    ]


def worker(draw):
    return partial(numbers_of, draw)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95, 1.0])
def test_groups_have_the_sizes_that_rho_says_and_splits_share_nothing(sources, rho):
    composition = compose_paste(options(sources, rho=rho))
    pictures = drawn(composition)
    assert composition.count == 40 + 4 * 3 + 4 * 5
    counts = Counter((p.split, p.label, p.context) for p in pictures)
    expected = group_counts(20, rho=rho, contexts=2, own=[[0], [1]])
    for row, label in enumerate(("duck", "hen")):
        for column, context in enumerate(("lake", "yard")):
            assert counts["train", label, context] == expected[row, column]
            assert counts["val", label, context] == 3
            assert counts["test", label, context] == 5
    for column in ("figure", "ground"):
        by_split = {split: {p.attributes[column] for p in pictures if p.split == split} for split in ("train", "val", "test")}
        assert not by_split["train"] & by_split["val"]
        assert not by_split["train"] & by_split["test"]
        assert not by_split["val"] & by_split["test"]
    assert all(p.attributes["figure"].startswith(p.label) for p in pictures)
    assert all(p.attributes["ground"].startswith(p.context) for p in pictures)
    assert composition.common == {"duck": "lake", "hen": "yard"}
    assert len({p.id for p in pictures}) == composition.count


def test_only_the_scene_of_a_sample_moves_with_rho(sources):
    """Figure, size, place and mirror of training samples stay; those that keep their context stay pixel by pixel; moves go one way."""
    by_rho = [drawn(compose_paste(options(sources, rho=rho, train=31))) for rho in (0.5, 0.7, 0.95, 1.0)]
    home = {"duck": "lake", "hen": "yard"}
    moved = 0
    for weaker, stronger in pairwise(by_rho):
        for a, b in zip(weaker, stronger, strict=True):
            assert (a.id, a.label, a.split) == (b.id, b.label, b.split)
            assert np.array_equal(a.mask, b.mask)
            assert [a.attributes[c] for c in ("figure", "mirrored", "area")] == [b.attributes[c] for c in ("figure", "mirrored", "area")]
            if a.context == b.context:
                assert a.attributes["ground"] == b.attributes["ground"]
                assert np.array_equal(a.image, b.image)
            else:
                moved += 1
                assert a.split == "train"
                assert b.context == home[b.label]
    assert moved == 15  # those away from home at rho 0.5: 8 of 16 and 7 of 15


@pytest.mark.parametrize("contexts", [3, 4, 5])
def test_with_many_contexts_a_sample_goes_home_or_stays(contexts):
    """A class for each context and one more for the first: whoever stays keeps its scene, whoever moves goes home."""
    homes = (*((context,) for context in range(contexts)), (0,))
    layouts = [
        Layout(classes=contexts + 1, contexts=contexts, homes=homes, rho=n / 15, train=15 * (contexts + 1) + 1, val=1, test=1, seed=2)
        for n in range(16)
    ]
    for weaker, stronger in pairwise(layouts):
        for row, (home,) in enumerate(homes):
            (slots, placed), (later, moved) = (scene_slots(layout.dial("train"), row) for layout in (weaker, stronger))
            stays = placed == moved
            assert np.array_equal(slots[stays], later[stays])
            assert (moved[~stays] == home).all()


@pytest.mark.parametrize("place", [0, 1])
def test_what_pictures_are_made_of_is_never_written_over(sources, place):
    """Neither figures nor scenes; every file of both is known."""
    composition = compose_paste(options(sources))
    assert {Path(file) for file in composition.sources} >= {path for path in sources[0].rglob("*") if path.is_file()}
    assert {Path(file) for file in composition.sources} >= set(sources[1].glob("lake/*"))
    with pytest.raises(InputError, match="is read to make what is written there"):
        run_compose(options(sources), out=sources[place])
    assert not (sources[place] / "manifest.json").exists()


def test_ties_may_be_listed_with_commas(sources):
    assert compose_paste(options(sources, common=("duck=lake, hen=yard",))).common == {"duck": "lake", "hen": "yard"}


def test_validation_and_test_know_nothing_of_training(sources):
    """Another rho, another size of training and more pictures of a split leave the others alone; groups come in pairs of one figure."""
    first, second = (compose_paste(options(sources, **c)) for c in ({}, {"rho": 0.5, "train": 7, "test": 9}))
    one = {p.id: p for p in drawn(first) if p.split != "train"}
    two = {p.id: p for p in drawn(second) if p.split != "train"}
    assert set(one) < set(two)
    for name, a in one.items():
        assert np.array_equal(a.image, two[name].image)
        assert a.attributes == two[name].attributes
    pairs = list(one.values())
    for lake, yard in zip(pairs[::2], pairs[1::2], strict=True):
        assert (lake.context, yard.context) == ("lake", "yard")
        assert np.array_equal(lake.mask, yard.mask)
        assert lake.attributes["figure"] == yard.attributes["figure"]


def test_the_mask_is_where_the_figure_is(sources):
    """With a hard edge at its own colours: red above one half is figure, everything else is the scene, and colours of the old ground are nowhere."""
    for picture in drawn(compose_paste(options(sources))):
        red = picture.image[..., 0] > 127
        assert np.array_equal(picture.mask > 0, red)
        assert set(np.unique(picture.mask)) == {0, 1 if picture.label == "duck" else 2}
        clear = picture.image[..., 0] == 0
        assert len(np.unique(picture.image[clear], axis=0)) == 1  # one plain scene
        assert picture.image[clear][0, 2] == (200 if picture.context == "lake" else 60)
        assert float(picture.attributes["area"]) == pytest.approx((picture.mask > 0).mean(), abs=5e-5)


def test_sizes_and_places_follow_the_options(sources):
    """Areas fill their range, figures stay inside, the middle is the middle, and both mirrors occur."""
    pictures = drawn(compose_paste(options(sources, area_low=0.05, area_high=0.15, train=120, val=0, test=0, size=96)))
    areas = np.array([(p.mask > 0).mean() for p in pictures])
    assert 0.045 < areas.min() < 0.06
    assert 0.14 < areas.max() < 0.155
    centres = np.array([np.argwhere(p.mask > 0).mean(axis=0) / 95 for p in pictures])
    assert centres.min() < 0.3
    assert centres.max() > 0.7
    assert {p.attributes["mirrored"] for p in pictures} == {"yes", "no"}
    still = drawn(compose_paste(options(sources, spread=0.0, train=20, val=0, test=0)))
    assert all(np.abs(np.argwhere(p.mask > 0).mean(axis=0) - 23.5).max() <= 1 for p in still)
    wide = drawn(compose_paste(options(sources, area_low=0.2, area_high=0.2, train=10, val=0, test=0)))
    assert all((p.mask > 0).mean() == pytest.approx(0.2, abs=0.02) for p in wide)


def test_a_figure_too_long_for_its_area_is_as_large_as_fits(sources, tmp_path):
    folder = write_figures(tmp_path / "figures", per_class=3)
    for file in (folder / "masks").glob("*.png"):
        mask = np.zeros((60, 70), np.uint8)
        mask[20:24] = 1 if file.stem.startswith("duck") else 2
        Image.fromarray(mask).save(file)
    pictures = drawn(compose_paste(options((folder, sources[1]), area_low=0.2, area_high=0.2, val=0, test=0, train=6)))
    for picture in pictures:
        rows, columns = np.nonzero(picture.mask)
        assert (columns.min(), columns.max()) == (0, 47)
        assert np.ptp(rows) == 2


def test_uses_are_counted_and_even(sources):
    """What the manifest will say is what the pictures say, and no figure or scene is used much more than another."""
    composition = compose_paste(options(sources, train=103, rho=0.8))
    pictures = drawn(composition)
    for column, key, what in (("figure", "label", "figures"), ("ground", "context", "scenes")):
        for name, splits in composition.details[what].items():
            for split, told in splits.items():
                times = Counter(p.attributes[column] for p in pictures if p.split == split and getattr(p, key) == name)
                assert len(times) <= told["there"]
                assert max(times.values()) == told["most"], (name, split)
                assert told["least"] == (min(times.values()) if len(times) == told["there"] else 0), (name, split)
                assert told["most"] - told["least"] <= (1 if what == "scenes" or split == "train" else 2), (name, split)
    assert sum(told["there"] for told in composition.details["figures"]["duck"].values()) == 8


def test_the_same_pictures_come_out_of_any_process_and_order(sources):
    composition = compose_paste(options(sources, train=12, val=1, test=1, trim=1.0, feather=2.0))
    here = numbers_of(composition.draw, range(composition.count))
    again = compose_paste(options(sources, train=12, val=1, test=1, trim=1.0, feather=2.0))
    assert numbers_of(pickle.loads(pickle.dumps(again.draw)), reversed(range(composition.count))) == here[::-1]
    assert again.inputs == composition.inputs
    other = compose_paste(options(sources, train=12, val=1, test=1, trim=1.0, feather=2.0, seed=1))
    assert numbers_of(other.draw, range(12)) != here[:12]


@pytest.mark.slow
def test_worker_processes_draw_what_this_one_does(sources):
    composition = compose_paste(options(sources, train=12, val=1, test=1))
    parts = open_executor(workers=2).map_batches(partial(worker, composition.draw), iter([range(10), range(10, composition.count)]))
    assert [row for part in parts for row in part] == numbers_of(composition.draw, range(composition.count))


def test_scenes_can_come_from_a_data_set(sources, tmp_path):
    """The same pictures as from the folder, by another name."""
    rows = [{"id": f"{f.parent.name}-{f.stem}", "image": str(f), "label": "", "place": f.parent.name} for f in sources[1].rglob("*.png")]
    with (tmp_path / "samples.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    toml = '[classes]\nnames = ["ground"]\n[samples]\ntable = "samples.csv"\n[attributes]\n'
    (tmp_path / "dataset.toml").write_text(toml + 'context = "place"\n')
    pictures = drawn(compose_paste(options((sources[0], tmp_path), train=8, val=1, test=1)))
    assert {p.context for p in pictures} == {"lake", "yard"}
    assert all(p.attributes["ground"].startswith(f"{p.context}-") for p in pictures)
    (tmp_path / "dataset.toml").write_text(toml)
    with pytest.raises(InputError, match="scenes need a context"):
        compose_paste(options((sources[0], tmp_path)))


def test_what_cannot_be_used_is_left_out_and_listed(sources, tmp_path):
    """Empty and small figures; of a mask with several classes only the label's counts; grey pictures and alpha channels are understood."""
    folder = write_figures(tmp_path / "figures")
    empty, small, mixed = (np.zeros((60, 70), np.uint8) for _ in range(3))
    small[5:10, 5:10] = 1
    mixed[:30, :40], mixed[30:, :40] = 1, 2
    for name, mask in (("duck0", empty), ("duck1", small), ("duck2", mixed)):
        Image.fromarray(mask).save(folder / f"masks/{name}.png")
    Image.fromarray(np.full((60, 70), 200, np.uint8)).save(folder / "images/duck3.png")
    rgba = np.full((60, 70, 4), 255, np.uint8)
    rgba[..., :3] = RED
    rgba[:, ::2, 3] = 0
    Image.fromarray(rgba).save(folder / "images/duck4.png")
    rgba[..., 3] = 3
    for part, suffix in (("images", "png"), ("masks", "png")):
        (folder / part / f"hen6.{suffix}").write_bytes((folder / part / f"hen3.{suffix}").read_bytes())
    (folder / "masks/hen7.png").write_bytes((folder / "masks/hen5.png").read_bytes())  # the mask alone is no twin
    Image.fromarray(rgba).save(folder / "images/duck5.png")
    composition = compose_paste(options((folder, sources[1]), train=40))
    assert composition.details["left_out"] == {"empty": ["duck0", "duck5"], "small": ["duck1"], "twice": ["hen6"]}
    assert composition.notes == (
        "2 cut-outs left out, for they are empty: duck0, duck5",
        "1 cut-outs left out, for they have fewer than 256 px: duck1",
        "1 cut-outs left out, for they are there under another id: hen6",
    )
    assert composition.name == "figures on scenes"
    reader, samples = composition.draw.reader, {s.id: s for split in composition.draw.figures.values() for some in split for s in some}
    assert reader.read(samples["duck2"]).area_px == 30 * 40
    assert np.array_equal(np.unique(reader.read(samples["duck3"]).rgb), [200])
    clear = reader.read(samples["duck4"])
    assert clear.area_px == 24 * 20
    assert not (clear.alpha > 0).all(axis=0).all()
    drawn(composition)


def test_scenes_that_are_there_twice_are_used_once(sources, tmp_path):
    """The same bytes under two names would let two splits share a scene."""
    scenes = write_scenes(tmp_path / "scenes", per_context=6)
    (scenes / "lake/09.png").write_bytes((scenes / "lake/02.png").read_bytes())
    (scenes / "yard/copy.png").write_bytes((scenes / "lake/03.png").read_bytes())
    composition = compose_paste(options((sources[0], scenes)))
    assert composition.details["left_out"] == {"scenes": ["lake/09.png", "yard/copy.png"]}
    assert composition.notes == ("2 scenes left out, for they are there under another name: lake/09.png, yard/copy.png",)
    assert sum(told["there"] for told in composition.details["scenes"]["lake"].values()) == 6


def test_a_list_of_ties_may_hold_names_with_commas(sources, tmp_path):
    """They are known from the data, in one flag as in two."""
    scenes = write_scenes(tmp_path / "scenes")
    (scenes / "lake").rename(scenes / "lake, north")
    for common in (("duck=lake, north,hen=yard",), ("hen=yard", "duck=lake, north")):
        assert dict(compose_paste(options((sources[0], scenes), common=common)).common) == {"duck": "lake, north", "hen": "yard"}
    with pytest.raises(InputError, match="must be exactly as in the data"):
        compose_paste(options((sources[0], scenes), common=("duck=lake, south,hen=yard",)))


def test_faulty_files_are_named(sources, tmp_path):
    folder = write_figures(tmp_path / "figures", per_class=3)
    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(folder / "images/hen1.png")
    with pytest.raises(FormatError, match="hen1"):
        drawn(compose_paste(options((folder, sources[1]))))
    (folder / "images/hen1.png").unlink()
    with pytest.raises(FormatError, match="hen1"):
        compose_paste(options((folder, sources[1])))
    scenes = write_scenes(tmp_path / "scenes", per_context=3)
    (scenes / "yard/01.png").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="yard/01"):
        drawn(compose_paste(options((sources[0], scenes))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"figures": ""}, "needs `figures`"),
        ({"scenes": ""}, "needs `scenes`"),
        ({"common": ()}, "needs `common`"),
        ({"common": ("duck",)}, "must be CLASS=CONTEXT; got 'duck'"),
        ({"common": ("duck=lake", "duck=lake", "hen=yard")}, "ties 'duck' to 'lake' twice"),
        ({"common": ("duck=lake,hen=yard,duck=lake",)}, "ties 'duck' to 'lake' twice"),
        ({"common": ("duck=lake", "duck=yard", "hen=yard")}, "ties class 'duck' to every context (lake, yard), so none is left"),
        ({"common": ("duck=lake,duck=yard", "hen=yard,hen=lake"), "beside": ("unused",)}, "ties every class to 'lake' and 'yard', so"),
        ({"beside": ("yard",)}, "`beside` names 'yard', to which `common` ties a class"),
        ({"beside": ("unused", "unused")}, "`beside` names 'unused' twice"),
        ({"beside": ("yart",)}, "no picture of the context 'yart'. Did you mean `yard`? Contexts here: lake, unused, yard"),
        ({"common": ("duck=lake",)}, "at least two values of class; got duck"),
        ({"common": ("duck=lake", "hen=lake")}, "at least two values of context; got lake"),
        ({"common": ("duk=lake", "hen=yard")}, "'duk', which is no class of figures. Did you mean `duck`?"),
        ({"common": ("background=lake", "hen=yard")}, "'background', which is no class"),
        ({"common": ("duck=lak", "hen=yard")}, "no picture of the context 'lak'. Did you mean `lake`? Contexts here: lake, unused, yard"),
        ({"rho": 1.5}, "`rho` must be in [0, 1]"),
        ({"area_low": 0.2, "area_high": 0.1}, "`area_low` must not be above"),
        ({"smallest": 961}, "figures of 'duck': there are 0, and test, val, train need at least one each"),
        ({"held_test": 0.9, "held_val": 0.2}, "would be held out and none left for train"),
        ({"train": 0, "val": 0, "test": 0}, "there must be samples"),
    ],
)
def test_options_that_will_not_do_are_told(sources, changes, words):
    with pytest.raises(InputError) as told:
        compose_paste(options(sources, **changes))
    assert words in str(told.value)


def largest_told(asked: ComposeOptions, split: str) -> int | None:
    """The size that a refusal names; None where nothing is refused."""
    try:
        compose_paste(asked)
    except InputError as error:
        return int(str(error).partition(f"(`uses`): enough for `{split}` = ")[2].partition(";")[0])
    return None


@pytest.mark.parametrize(("split", "val_rho"), [("train", -1.0), ("val", -1.0), ("test", -1.0), ("val", 0.5), ("val", 0.9), ("val", 1.0)])
@pytest.mark.parametrize("rho", [0.5, 0.9, 1.0])
def test_the_largest_possible_size_is_told_and_is_possible(sources, split, rho, val_rho):
    """Asking for what the message says succeeds, for one more it fails, and the counts keep the promise."""
    asked = options(sources, uses=2, rho=rho, val_rho=val_rho, held_val=0.5, **{"train": 4, "val": 1, "test": 1, split: 500})
    sizes: list[int] = []
    while (largest := largest_told(asked, split)) is not None:
        assert largest < getattr(asked, split)
        sizes.append(largest)
        asked = replace(asked, **{split: largest})
    composition = compose_paste(asked)
    assert sizes
    told = [splits[split]["most"] for splits in composition.details["scenes"].values()]
    assert max(told) <= 2
    with pytest.raises(InputError, match="at most 2 times"):
        compose_paste(replace(asked, **{split: sizes[-1] + 1}))


@given(st.lists(st.text(max_size=4), min_size=3, max_size=40, unique=True), st.integers(0, 9), st.randoms(use_true_random=False))
def test_held_out_things_part_the_whole_whatever_their_order(names, seed, random):
    parts = {"test": 0.25, "val": 0.15, "train": 1.0}
    out = hold_out(names, seed=seed, what="figures", parts=parts)
    assert sorted(i for some in out.values() for i in some) == list(range(len(names)))
    assert len(out["test"]) == max(1, int(0.25 * len(names) + 0.5))
    assert len(out["val"]) == max(1, int(0.15 * len(names) + 0.5))
    mixed = list(names)
    random.shuffle(mixed)
    again = hold_out(mixed, seed=seed, what="figures", parts=parts)
    assert {split: [mixed[i] for i in some] for split, some in again.items()} == {s: [names[i] for i in some] for s, some in out.items()}
    if len(names) >= 20:
        other = hold_out(names, seed=seed + 1, what="figures", parts=parts)
        assert other["test"] != out["test"]
        assert hold_out(names, seed=seed, what="scenes", parts=parts)["test"] != out["test"]
    without = hold_out(names, seed=seed, what="figures", parts={"test": 0.25, "train": 1.0})
    assert without["test"] == out["test"]


@pytest.mark.parametrize(("homes", "contexts"), [(((0,), (0,), (1,)), 2), (((0,), (1,), (2,), (0,)), 3)])
def test_classes_that_share_a_home_share_its_scenes_out(homes, contexts):
    """All at home or all away: every sample has a scene of its own as long as there are enough."""
    layout = Layout(classes=len(homes), contexts=contexts, homes=homes, rho=1.0, train=50, val=0, test=0, seed=3)
    for dial in (replace(layout, rho=rho).dial("train") for rho in (1.0, 0.0)):
        for column in range(contexts):
            some = [slots[placed == column] for slots, placed in (scene_slots(dial, r) for r in range(len(homes)))]
            slots = np.concatenate(some)
            assert np.unique(slots).size == slots.size
            assert np.ptp(slots) <= 50


def test_one_thing_too_few_is_told():
    with pytest.raises(InputError, match=r"figures of 'emu': there are 2, and test, val, train need at least one each"):
        hold_out(["a", "b"], seed=0, what="figures of 'emu'", parts={"test": 0.25, "val": 0.15, "train": 1.0})


def test_animals_on_scenes(real_data):
    """Real cut-outs on real scenes: nothing shared, areas where they should be, figures that can be seen."""
    given = ComposeOptions(kind="paste", figures=str(real_data / "animals4"), scenes=str(real_data / "scenes6"))
    composition = compose_paste(replace(given, common=("flamingo=sea", "emu=forest"), train=600, val=10, test=20, size=96))
    there = {name: sum(told["there"] for told in splits.values()) for name, splits in composition.details["figures"].items()}
    assert there == {"flamingo": 67, "emu": 53}
    pictures = [composition.draw(index) for index in range(0, composition.count, 7)]
    for column in ("figure", "ground"):
        used = {split: {p.attributes[column] for p in pictures if p.split == split} for split in ("train", "val", "test")}
        assert used["train"].isdisjoint(used["test"] | used["val"])
        assert used["val"].isdisjoint(used["test"])
    areas = [float(p.attributes["area"]) for p in pictures]
    assert min(areas) > 0.04
    assert max(areas) < 0.14
    assert all(p.image.shape == (96, 96, 3) for p in pictures)
