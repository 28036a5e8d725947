"""Figures as they are found: pictures with an alpha channel of their own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from figureground.core.errors import FormatError
from figureground.stages.shift.ingredients import find_figures


def write_cutouts(folder, dtype, *, clear_rows: int = 0):
    """Two ducks of 20 x 30 px, cut out with an alpha channel that takes the upper rows away, as pictures of a pixel type."""
    (folder / "images").mkdir(parents=True)
    mask = np.zeros((40, 50), np.uint8)
    mask[10:30, 10:40] = 1
    rows = ["id,image,mask,label"]
    for number in range(2):
        picture = np.full((40, 50, 4), np.iinfo(dtype).max, dtype)
        picture[..., number] = 7
        picture[: 10 + clear_rows, :, 3] = 0
        assert cv2.imwrite(str(folder / f"images/duck{number}.png"), picture)
        rows.append(f"duck{number},images/duck{number}.png,mask.png,duck")
    cv2.imwrite(str(folder / "mask.png"), mask)
    (folder / "samples.csv").write_text("\n".join(rows) + "\n")
    (folder / "dataset.toml").write_text('[classes]\nnames = ["ground", "duck"]\n[samples]\ntable = "samples.csv"\n')
    return str(folder)


def test_an_alpha_channel_takes_its_part_of_the_figure_away(tmp_path):
    """Five of twenty rows are clear: three quarters of the figure are left."""
    figures = find_figures(write_cutouts(tmp_path, np.uint8, clear_rows=5), ["duck"], trim_px=0, feather_px=0, smallest_px=1)
    assert [sample.id for sample in figures.by_class["duck"]] == ["duck0", "duck1"]
    assert figures.reader.measure(figures.by_class["duck"][0])[0] == 15 * 30
    assert figures.reader.read(figures.by_class["duck"][0]).area_px == 15 * 30


def test_cut_outs_of_16_bits_are_refused_by_name(tmp_path):
    """They are no empty figures: the message names the file, the sample, and what to do."""
    with pytest.raises(FormatError, match=r"pixels of type uint16.*Convert it to 8 bits") as caught:
        find_figures(write_cutouts(tmp_path, np.uint16), ["duck"], trim_px=0, feather_px=0, smallest_px=1)
    assert caught.value.fault.code == "unreadable-picture"
    assert caught.value.fault.sample == "duck0"
    assert str(caught.value.fault.file).endswith("duck0.png")
