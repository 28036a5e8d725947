"""What an import may load and change, and which room may import which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.floor.workplace import ROOT

HEAVY = ("torch", "torchvision", "transformers", "ray", "starlette", "fastapi", "numba", "pyarrow", "matplotlib", "cv2", "scipy", "PIL")


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    """Which of some packages a fresh interpreter has loaded after a piece of code."""
    ask = f"import sys, json\n{code}\nprint('\\n' + json.dumps([n for n in {names!r} if n in sys.modules]))"
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


HELP = """
import runpy
sys.argv = ["figureground", *{arguments!r}]
try:
    runpy.run_module("figureground", run_name="__main__")
except SystemExit as stop:
    assert not stop.code, stop.code
"""


@pytest.mark.parametrize("arguments", [["--help"], ["audit", "--help"], ["predict", "--help"], ["rank", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """Asking for help loads neither networks nor web servers nor compilers nor table readers."""
    assert loaded(HELP.format(arguments=arguments), HEAVY) == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import figureground` resolves names only when they are used, and `dir` still knows them."""
    assert loaded("import figureground; assert 'audit' in dir(figureground)", HEAVY) == []


def test_auditing_folders_needs_no_torch() -> None:
    """The calls behind `audit` and `doctor` are there without any library that runs networks."""
    code = "import figureground; figureground.audit; figureground.open_dataset; figureground.joint_counts; figureground.Meter"
    assert loaded(code, ("torch", "torchvision", "transformers", "onnxruntime", "segmentation_models_pytorch")) == []


CHANGES = """
import logging, os, random, warnings
import cv2, fsspec, numba, PIL.Image, pyarrow.parquet, pycocotools.mask, pydantic  # what these change is their own affair
import numpy
before = (list(warnings.filters), logging.getLogger().handlers[:], logging.getLogger().level, dict(os.environ), random.getstate()[1][:3],
          numpy.random.get_state()[1][:3].tolist(), numpy.geterr(), warnings.formatwarning, os.getcwd(), sys.path[:])
import figureground
for name in figureground.__all__:
    getattr(figureground, name)
filters = [f for f in warnings.filters if f not in before[0]]
after = (logging.getLogger().handlers[:], logging.getLogger().level, dict(os.environ), random.getstate()[1][:3],
         numpy.random.get_state()[1][:3].tolist(), numpy.geterr(), warnings.formatwarning, os.getcwd(), sys.path[:])
assert after == before[1:], [pair for pair in zip(before[1:], after) if pair[0] != pair[1]]
ours = [f for f in filters if "figureground" in str(f)]
assert not ours, ours
"""


@pytest.mark.slow
def test_using_every_name_changes_nothing_around_it() -> None:
    """Importing everything leaves warnings of ours, logging, environment, seeds, error handling, folder and path alone."""
    assert loaded(CHANGES, ("torch",)) == []


def test_no_init_file_does_more_than_hand_names_on() -> None:
    """`__init__.py` files hold no functions or classes, but for the package's own lazy names."""
    for file in (ROOT / "src").rglob("__init__.py"):
        text = file.read_text(encoding="utf-8")
        if file.parent.name != "figureground":
            assert "\ndef " not in text, file
            assert "\nclass " not in text, file


def test_the_import_contracts_hold() -> None:
    """Rooms import downwards only, and each contract of pyproject.toml is kept."""
    tool = Path(sys.executable).with_name("lint-imports")
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stdout[-3000:]
    assert "0 broken" in done.stdout
