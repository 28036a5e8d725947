"""Which samples are for training: those of the split, or all where no sample has one."""

from __future__ import annotations

import pytest

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, Sample
from figureground.data.dataset import Dataset
from figureground.data.splits import training_part


def with_splits(*splits):
    samples = tuple(Sample(id=str(place), split=split) for place, split in enumerate(splits))
    return Dataset(name="drawn", classes=ClassTable(names=("cat",)), samples=samples, masks=None)


def test_the_samples_of_the_split_alone():
    assert training_part(with_splits("train", "val", None, "train"), "train").ids == ("0", "3")


@pytest.mark.parametrize("split", ["train", "", "fit"])
def test_all_of_a_data_set_without_splits(split):
    assert training_part(with_splits(None, None), split).ids == ("0", "1")


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ("fit", "drawn has no split 'fit'; it has train, val. Give --train-split"),
        ("", "drawn has the splits train, val. Give --train-split"),
    ],
)
def test_never_samples_of_other_splits_by_mistake(split, said):
    with pytest.raises(InputError, match=said):
        training_part(with_splits("val", "train"), split, "--train-split")
