"""LOOP.toml: what is read from it, what is refused, and where its places are meant from."""

from __future__ import annotations

import pytest

from figureground.core.errors import InputError
from figureground.loops.recipe import read_recipe

GOOD = """
pool = "pool"
train = "png-things:data"
target = "net"

[rivals]
fpn = "weights:fpn"
far = "png:elsewhere/maps?scores=risk.csv"

[loop]
top = 7
selector = "entropy"
"""


def write(folder, text: str):
    file = folder / "birds.toml"
    file.write_text(text)
    return file


def test_places_beside_the_file_are_meant_from_there(tmp_path):
    """A place that exists beside the file becomes absolute and keeps kind and options; any other stays as it is."""
    for name in ("pool", "net", "fpn", "png"):
        (tmp_path / name).mkdir()
    recipe = read_recipe(write(tmp_path, GOOD.replace('"pool"', '"pool?split=test"')))
    assert recipe.pool == f"{tmp_path}/pool?split=test"
    assert recipe.target == f"weights:{tmp_path}/net"
    assert recipe.rivals == {"fpn": f"weights:{tmp_path}/fpn", "far": "png:elsewhere/maps?scores=risk.csv"}
    assert recipe.train == recipe.val == "png-things:data"
    assert (recipe.name, recipe.audit) == ("birds", "")


def test_the_stages_are_given_what_the_loop_says(tmp_path):
    recipe = read_recipe(
        write(tmp_path, GOOD + "\nseed = 3\ntest = 9\n[mine]\nnear = 2\n[review]\nchecked = false\n[rank]\nresamples = 5\n")
    )
    mine = recipe.mine_options(selector="mad")
    assert (mine.selector, mine.top, mine.near, mine.seed, mine.train) == ("mad", 7, 2, 3, recipe.train)
    rank = recipe.rank_options(test="there")
    assert (rank.size, rank.masks, rank.resamples, rank.test, rank.unknown) == (9, "submitted", 5, "there", "ignore")
    assert recipe.repair_options().which == "all"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('pool = "pool"', "", "`pool` is missing"),
        ('pool = "pool"', "pool = 3", "`pool` must be a text; got 3"),
        ('pool = "pool"', 'pool = "pool"\npools = "x"', "unknown entry `pools`"),
        ('fpn = "weights:fpn"\nfar = "png:elsewhere/maps?scores=risk.csv"', "", "names no model"),
        ("fpn =", "target =", "cannot be called 'target'"),
        ("fpn =", '"a b" =', "cannot be called 'a b'"),
        ('"weights:fpn"', "7", "must be the spec of a model"),
        ("top = 7", "tops = 7", r"\[loop\] unknown option `tops`. Did you mean `top`"),
        ("top = 7", "top = 0", r"\[loop\] `top` must be in"),
        ("[loop]", "[mine]\nseed = 3\n[loop]", r"\[mine\] must not set `seed`"),
        ("[loop]", "[mine]\nsheets = 3\n[loop]", r"\[mine\] unknown option `sheets`"),
        ("[loop]", "[repair]\nrates = ['abc']\n[loop]", r"\[repair\] `rates` must hold numbers above 0, such as 1e-5; got 'abc'"),
        ("[loop]", "[repair]\nrates = []\n[loop]", r"\[repair\] `rates` names no learning rate"),
        ("[loop]", "[review]\nreviewers = ['ann:king']\n[loop]", r"\[review\] `reviewers` 'ann:king': expected NAME:ROLE"),
        ("[loop]", "[repair]\nrates = 0.1\n[loop]", r"\[repair\] `rates` must be"),
        ("[loop]", "[rank]\nlabels = ['x']\n[loop]", r"\[rank\] must not set `labels`"),
        ("[loop]", "[predict]\nbatch = 0\n[loop]", r"\[predict\] `batch` must be in"),
        ("\n[rivals]", "loop = 3\n[rivals]", r"`loop` must be a table, \[loop\]; got 3"),
        ("[loop]", "[loop", "is no TOML"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path, before, after, told):
    assert before in GOOD
    text = GOOD.replace(before, after)
    file = write(tmp_path, text.partition("[loop]")[0] if "loop = 3" in text else text)
    with pytest.raises(InputError, match=told) as error:
        read_recipe(file)
    assert str(file) in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"absent\.toml: cannot be read"):
        read_recipe(tmp_path / "absent.toml")
