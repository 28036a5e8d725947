"""Which options count for which kind of composition."""

import dataclasses
import json

import pytest

from figureground.core.errors import InputError
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.compose_options import COUNTED, ComposeOptions, counted_options


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"scenes": "scenes"}, "`scenes` counts for kind paste only; got kind figures. Add --kind paste, or leave it out"),
        (
            {"figures": "animals", "beside": ("forest",), "common": ("duck=forest",)},
            "`figures`, `beside` count for kind paste only; got kind figures. Add --kind paste, or leave them out",
        ),
        (
            {"kind": "paste", "noise": 0.2, "classes": 4},
            "`classes`, `noise` count for kind figures only; got kind paste. Add --kind figures, or leave them out",
        ),
        (
            {"kind": "waterbirds", "val_rho": 1.0},
            "`val_rho` counts for kind figures and paste only; got kind waterbirds. Add --kind figures or --kind paste, or leave it out",
        ),
        (
            {"kind": "waterbirds", "rho": 0.5},
            "`rho` counts for kind figures and paste only; got kind waterbirds. Add --kind figures or --kind paste, or leave it out",
        ),
    ],
)
def test_options_of_another_kind_are_refused(given, told, tmp_path):
    """What would be ignored is said before anything is drawn or read."""
    with pytest.raises(InputError) as error:
        run_compose(ComposeOptions(**given), out=tmp_path / "set")
    assert str(error.value) == told
    assert not (tmp_path / "set").exists()


def test_only_options_that_count_are_recorded(tmp_path):
    out = run_compose(ComposeOptions(train=2, val=0, test=0, size=32, sheet=0), out=tmp_path / "set")
    recorded = json.loads((out / "manifest.json").read_text())["options"]
    assert set(recorded) == set(COUNTED["figures"]) - {"val_rho", "common"}  # younger options are recorded where they are given
    assert recorded["train"] == 2
    assert not {"classes", "contexts"} & set(counted_options(ComposeOptions(kind="paste")))


def test_every_option_counts_for_some_kind_and_all_for_a_kind_from_elsewhere():
    names = {field.name for field in dataclasses.fields(ComposeOptions)}
    assert {name for counted in COUNTED.values() for name in counted} == names
    assert set(counted_options(ComposeOptions(kind="mine", cub="x", noise=0.1))) == names - {"val_rho", "beside"}
    assert set(counted_options(ComposeOptions(kind="mine", val_rho=0.5, beside=("sea",)))) == names
