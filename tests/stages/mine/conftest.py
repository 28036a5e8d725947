"""What the many small runs of mining share."""

from __future__ import annotations

import pytest

from figureground.runs import artifact


@pytest.fixture(scope="session", autouse=True)
def versions_once():
    """Looking up the versions of libraries takes longer than a small run; they do not change meanwhile."""
    found = artifact.library_versions()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifact, "library_versions", lambda: dict(found))
        yield
