"""Small networks run fastest on one thread, and no test may reach for the network."""

from __future__ import annotations

import os

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is first imported


@pytest.fixture(scope="module", autouse=True)
def _small_networks(one_thread):
    """All of them are."""
