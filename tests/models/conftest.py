"""Small networks run fastest on one thread, and no test may reach for the network."""

from __future__ import annotations

import importlib.util
import os

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is first imported


@pytest.fixture(scope="session", autouse=True)
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
