"""What all tests share: hypothesis without deadlines (compiling kernels takes a while once), and where the real data lies."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("figureground", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("figureground")

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real pictures, masks, predictions and weights; tests that need it skip where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip("the folder of real data is not on this machine")
    return REAL_DATA


@pytest.fixture(autouse=True)
def same_weights():
    """Networks that a test makes have the same random weights each time, whatever ran before in this process."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture
def ray_on_one_node():
    """Ray on this machine, begun and ended by the test, so that no other one finds it running."""
    ray = pytest.importorskip("ray")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def one_thread():
    """Threads of torch cost more than they bring on inputs of a few pixels."""
    if importlib.util.find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def chromium():
    """The system's browser. It lives as long as a file of tests: playwright cannot be started twice in one process."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from tests.chromium import CHROMIUM, opened_chromium

    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with opened_chromium() as browser:
        yield browser
