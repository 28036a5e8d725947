"""Damaged exports: whatever is cut off or changed, a reader gives masks or one error that a person can read, and never anything else."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.review.exchange.conftest import CLASSES

from figureground.core.errors import FormatError, InputError
from figureground.data.labelmap import encode_runs
from figureground.review.exchange.masks import LabelledMask
from figureground.review.exchange.spec import read_masks, write_masks

pytestmark = pytest.mark.slow
FORMS = ["coco", "coco?polygons=yes", "labelstudio", "cvat"]


def written(form: str) -> bytes:
    """A small sound export."""
    kind, mark, query = form.partition("?")
    label_map = np.zeros((6, 9), np.uint16)
    label_map[1:5, 2:7], label_map[2:4, 3:5], label_map[0, 8] = 3, 300, 255
    masks = [LabelledMask(id=i, image=None, runs=encode_runs(label_map)) for i in ("a", "b")]
    with tempfile.TemporaryDirectory() as folder:
        write_masks(f"{kind}:{folder}/l{mark}{query}", masks, CLASSES)
        return Path(folder, "l").read_bytes()


SOUND = {form: written(form) for form in FORMS}


def check(form: str, data: bytes) -> bool:
    """Reads; False where it was refused, in words that name the file and what to do."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "l")
        file.write_bytes(data)
        found, told = [], ""
        try:
            found = list(read_masks(f"{form.partition('?')[0]}:{file}", CLASSES))
        except (FormatError, InputError) as error:
            told = str(error)
        assert not told or (str(file) in told and len(told) < 1500 and "\n" not in told), told
        assert all(set(np.unique(mask.runs.values).tolist()) <= {*CLASSES.ids, CLASSES.ignore} for mask in found)
        return not told


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_ends_early_is_refused_wherever_it_ends(form: str) -> None:
    sound = SOUND[form]
    assert check(form, sound)
    assert not any(check(form, sound[:length]) for length in range(0, len(sound) - 1, max(1, len(sound) // 40)))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40)
@given(data=st.data())
def test_changed_bytes_are_read_or_refused(form: str, data: st.DataObject) -> None:
    changed = bytearray(SOUND[form])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place] = data.draw(st.integers(0, 255))
    check(form, bytes(changed))


ODD = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        1,
        2**31,
        2**63,
        -(2**70),
        0.5,
        float("nan"),
        float("inf"),
        "",
        "a",
        "\ud800",
        "../x",
        [],
        {},
        [[]],
        [None],
        {"a": 1},
    ]
)


def changed(value: Any, draw: Any) -> Any:
    """The same document with one value of it, at any depth, replaced or taken away."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 5)):
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: changed(value[key], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], changed(value[place], draw), *value[place + 1 :]]
    return draw(ODD)


@pytest.mark.parametrize("form", FORMS[:3])
@settings(max_examples=50)
@given(data=st.data())
def test_changed_values_are_read_or_refused(form: str, data: st.DataObject) -> None:
    document = json.loads(SOUND[form])
    for _ in range(data.draw(st.integers(1, 2))):
        document = changed(document, data.draw)
    check(form, json.dumps(document).encode())


@settings(max_examples=50)
@given(data=st.data())
def test_changed_attributes_are_read_or_refused(data: st.DataObject) -> None:
    """Of CVAT's elements."""
    text = SOUND["cvat"].decode()
    quoted = [n for n, sign in enumerate(text) if sign == '"']
    place = 2 * data.draw(st.integers(0, len(quoted) // 2 - 1))
    odd = data.draw(st.sampled_from(["", "-1", "0", "1e9", "nan", "99999999999", "0.5", "a", "\u0661", "1,2", " 3 ", "../..", "1_0"]))
    check("cvat", (text[: quoted[place] + 1] + odd + text[quoted[place + 1] :]).encode())
