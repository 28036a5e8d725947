"""The checks of the tree and of licences find what they are for."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from types import ModuleType

import pytest
from tests.floor.workplace import ROOT


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("notes.md", "see /home/" + "ada/data for it"),
        ("notes.md", "C:" + "\\Users\\ada"),
        ("notes.md", "under /srv/place/masks"),
        ("setup.cfg", "index = https://regis" + "try.example.org/simple"),
        ("constraints.txt", "torch @ https://example.org/torch.whl"),
        ("constraints.txt", "--find-links wheels"),
        ("pyproject.toml", 'x = "git+https://example.org/x"'),
        ("uv.lock", ""),
    ],
)
def test_what_binds_the_tree_to_one_machine_is_found(name: str, line: str) -> None:
    """Home folders, the folder of this copy, registry hosts, addresses of packages and lock files are each a finding."""
    assert script("check_tree").faults(name, line, here="/srv/place/")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("README.md", "pip install -c constraints.txt -e ."),
        ("constraints.txt", "numpy==2.4.6"),
        ("docs/a.md", "https://keepachangelog.com/en/1.1.0/"),
        ("a.py", "the /home page of a site"),
    ],
)
def test_ordinary_lines_are_none(name: str, line: str) -> None:
    """Links, pins and plain words pass."""
    assert script("check_tree").faults(name, line, here="/srv/place/") == []


@pytest.mark.parametrize(
    ("licence", "copyleft"),
    [
        ("MIT", False),
        ("Apache-2.0", False),
        ("BSD License", False),
        ("MPL-2.0", False),
        ("LGPL-2.1-or-later", False),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", False),
        ("MIT OR GPL-2.0-only", False),
        ("GPL-3.0-only", True),
        ("GNU General Public License v3 (GPLv3)", True),
        ("GNU Affero General Public License v3", True),
        ("AGPL-3.0-or-later", True),
    ],
)
def test_copyleft_is_told_from_the_rest(licence: str, copyleft: bool) -> None:
    """The GPL and AGPL are found in every spelling, the LGPL and free choices are not."""
    assert script("check_licences").is_copyleft(licence) is copyleft


def test_the_dependencies_of_a_package_are_followed() -> None:
    """The closure holds what a dependency brings along, and extras only where they are asked for."""
    check = script("check_licences")
    plain, _ = check.closure("matplotlib", frozenset())
    assert {"numpy", "pillow", "six"} & set(plain) >= {"numpy", "pillow"}
    assert "kiwisolver" in plain


def test_the_constraints_are_names_and_versions_only() -> None:
    """Each line is `name==version`, and none is a package of one maker's hardware."""
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!+-]+", line) for line in lines)
    assert not [line for line in lines if line.startswith(("nvidia", "cuda", "triton")) or "+" in line]


def test_the_tree_is_bound_to_no_machine() -> None:
    """The check of the tree passes on this tree."""
    done = subprocess.run([sys.executable, "scripts/check_tree.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
