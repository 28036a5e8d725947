"""A recipe says everything before anything is made: what varies, what stays, and what is wrong with it."""

from __future__ import annotations

import pytest

from figureground.core.errors import InputError
from figureground.sweeps.recipe import OBJECTIVES, read_recipe

GOOD = """
name = "drawn"
[compose]
train = 40
[train]
epochs = 2
[sweep]
rho = [0.5, 0.95]
seeds = [3, 4]
objectives = ["ce", "cutmix"]
architectures = ["smp:unet/resnet18"]
"""


def write(folder, text):
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_runs_are_the_whole_grid_each_once_seed_by_seed(tmp_path):
    recipe = read_recipe(write(tmp_path, GOOD))
    runs = recipe.runs()
    assert len(runs) == len({run.place for run in runs}) == 8
    assert [run.seed for run in runs] == [3] * 4 + [4] * 4
    assert recipe.compose_options(0.95).rho == 0.95
    assert recipe.compose_options(0.95).train == 40


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_objective_is_options_of_train_and_nothing_else_changes(tmp_path, objective):
    recipe = read_recipe(write(tmp_path, GOOD.replace('["ce", "cutmix"]', f'["{objective}"]')))
    options = recipe.fit_options(recipe.runs()[0])
    assert (options.epochs, options.seed, options.architecture) == (2, 3, "smp:unet/resnet18")
    assert all(getattr(options, key) == value for key, value in OBJECTIVES[objective].items())
    assert options.cutmix == (0.5 if objective == "cutmix" else 0.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[0.5, 0.95]", "[0.5, 1.2]", r"`rho` must be in \[0, 1\].*1.2"),
        ("[0.5, 0.95]", "[]", "`rho` must be a list of int or float, at least one"),
        ("[0.5, 0.95]", "[0.5, 0.5]", "names a value twice"),
        ("[3, 4]", "[3, -4]", r"`seed` must be in.*-4"),
        ("train = 40", 'train = 40\nkind = "waterbirds"', "has the correlation of its manifest"),
        ("[3, 4]", '["three"]', "`seeds` must be a list of int"),
        ('"cutmix"', '"cutmx"', "knows no objective 'cutmx'. Known: ce"),
        ("train = 40", "rho = 0.9", r"\[compose\] must not set `rho`"),
        ("epochs = 2", "seed = 1", r"\[train\] must not set `seed`"),
        ("epochs = 2", "epoch = 2", "epoch"),
        ("train = 40", "trian = 40", "trian"),
        ("[sweep]", "[swep]", "unknown entry `swep`"),
        ("rho = [", "rhos = [", r"\[sweep\] has no `rhos`"),
        ("name =", "name", "is no TOML"),
        ("[compose]\ntrain = 40", "compose = 3", "`compose` must be a table"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(InputError, match=words) as error:
        read_recipe(write(tmp_path, GOOD.replace(old, new)))
    assert "recipe.toml" in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")
