"""Real photographs and the maps of published networks, as a real queue brings them, on every screen."""

from __future__ import annotations

import numpy as np
import pytest
from tests.review.browser.live import Live, until
from tests.review.browser.test_screens import GRID, rated, ready_to_check, ready_to_patch, ready_to_rate
from tests.review.server.world import World

import figureground
from figureground.review.options import ReviewOptions
from figureground.review.project import open_project
from figureground.review.server.app import create_app
from figureground.review.store.database import open_database
from figureground.stages.mine.options import MineOptions

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def queue(real_data, tmp_path_factory):
    """Forty pictures on which three networks disagree."""
    maps = real_data / "predictions"
    specs = [f"{name}=png:{maps / name / 'voc21'}" for name in ("espnetv2_s_2.0", "dicenet_s_1.75", "espnetv2_s_1.0")]
    options = MineOptions(top=2, budget=40, deduplicate=False, sheet=0)
    return figureground.mine(str(real_data / "voc21"), specs[0], specs[1:], out=tmp_path_factory.mktemp("real") / "queue", options=options)


@pytest.fixture
def real(queue, tmp_path):
    options = ReviewOptions()
    project = open_project(str(queue), options=options)
    database = open_database(f"sqlite:///{tmp_path}/review.db", project)
    live = Live(World(project, database, create_app(project, database, options))).start()
    yield live
    live.stop()
    database.close()


@pytest.mark.parametrize("size", ["wide", "tablet"])
def test_photographs_are_rated_with_their_maps_in_place(real, open_page, size):
    page = ready_to_rate(open_page(real, "/rate", size=size))
    for key in "135":
        ready_to_rate(page)
        sizes = page.evaluate(
            "(() => { const [i, c] = ['img', 'canvas'].map((n) => document.querySelector(`#sheet ${n}`)); const b = [i, c].map((n) => n.getBoundingClientRect()); return [[i.naturalWidth, i.naturalHeight], [c.width, c.height], [b[0].width, b[0].height, b[0].x, b[0].y], [b[1].width, b[1].height, b[1].x, b[1].y]]; })()"
        )
        assert sizes[0] == sizes[1], "the map has the pixels of the picture"
        assert sizes[2] == sizes[3], "and lies over it"
        assert abs(sizes[2][0] / sizes[2][1] - sizes[0][0] / sizes[0][1]) < 0.02, "undistorted"
        page.keyboard.press(key)
    assert [row["score"] for row in rated(real, 3)] == [1, 3, 5]


def test_photographs_get_patches_from_the_model(real, open_page):
    page = ready_to_patch(open_page(real, "/patches"))
    for place in range(3):
        until(page, f"location.hash === '#{place}' && document.getElementById('picture').complete")
        page.keyboard.press("m")
        layer = real.world.project.layer_of(place, 0)
        rows, columns = (np.arange(length) * 16 // length for length in layer.shape)
        cell = rows[:, None] * 16 + columns[None, :]
        share = np.bincount(cell.ravel(), ((layer != 0) & (layer != 255)).ravel()) / np.bincount(cell.ravel())
        until(page, f"{GRID} === '{''.join(str(int(one >= 0.25)) for one in share)}'")
        page.keyboard.press("Enter")
    real.wait_for("patch", 3)


def test_a_mask_of_a_photograph_is_checked(real, open_page):
    real.world.draw(real.world.visitor("ann"), 5)
    page = ready_to_check(open_page(real, "/check"))
    page.keyboard.press("2")
    page.keyboard.press("r")
    assert real.wait_for("check_", 1)[0]["verdict"] == "returned"
