"""One mined round for all tests of ranking; none of them writes into it."""

from __future__ import annotations

import pytest
from tests.stages.rank.round import Mined, make_round


@pytest.fixture(scope="session")
def mined_round(tmp_path_factory: pytest.TempPathFactory) -> Mined:
    return make_round(tmp_path_factory.mktemp("round") / "in")
