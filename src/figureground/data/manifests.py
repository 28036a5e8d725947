"""Manifests of artifacts that come in as data: read where the rooms that write artifacts are out of reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from figureground.core.errors import ArtifactError


def read_manifest_of(folder: Path, *, kind: str, schema: int, writer: str, remedy: str) -> dict[str, Any]:
    """The content of `manifest.json` of an artifact of one kind and schema.

    Args:
        folder: the directory.
        kind: what it must be.
        schema: the layout that is read.
        writer: the verb that writes such artifacts.
        remedy: what to do about a damaged one.

    Raises:
        ArtifactError: none is there, it cannot be read, or it is of another kind or schema.
    """
    path = folder / "manifest.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        is_kind, is_schema = found["kind"], found["schema"]
        if not isinstance(found["details"], dict) or not isinstance(found["key"], str):
            raise TypeError("`details` or `key` is not what it should be")
    except FileNotFoundError as error:
        raise ArtifactError(f"{folder}: no artifact is here (manifest.json is absent). Give a directory that `{writer}` wrote") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{path}: the manifest cannot be read ({str(error)[:80]}). {remedy}") from error
    if is_kind != kind:
        raise ArtifactError(f"{folder}: expected an artifact of kind '{kind}', found '{str(is_kind)[:80]}'")
    if is_schema != schema:
        raise ArtifactError(f"{folder}: the {kind} are of schema {is_schema}, and this figureground reads {schema}. Update figureground")
    return found
