"""Artifacts: directories with a manifest, written under a temporary name and renamed, so that a half-written one never exists.

While a stage works, its directory is called `<name>.partial`. Batches land in `<name>.partial/.shards/` one file each, so that a run which
was cut off goes on behind the last whole shard. The key, a digest of inputs, options and code version, decides what may be kept: the same
key skips a finished artifact and continues a partial one; another key starts afresh.

Shards, key and lock are there until the directory has its final name, and are removed from it then: wherever a run ends, either the same
command goes on from all that was done, or nothing is left to do. Their names begin with a dot, so no reader takes them for data.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from figureground.core.errors import ArtifactError, BusyError, Fault, InputError, check_failures, may_leave_out
from figureground.core.progress import QuietReporter, Reporter
from figureground.core.whole_file import is_temporary, write_atomically
from figureground.runs.sources import check_sources, is_partial, named_place, partial_place, replaced_place
from figureground.version import __version__

MANIFEST, FAILURES = "manifest.json", "failures.json"
SHARDS = ".shards"
KEY_FILE = ".key"
LOCK_FILE = ".lock"
_TRACES = (SHARDS, KEY_FILE, LOCK_FILE)
_ADDED_LATER = ("report.html", ".DS_Store", "Thumbs.db", "desktop.ini")
"""Written into finished artifacts by `figureground report`, and by systems that show folders: no work of a person is lost with them."""
_locks: dict[Path, int] = {}
"""File descriptors of the locks this process holds; the system drops them when it ends, however it ends."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an artifact is and where it comes from; the content of `manifest.json`."""

    kind: str
    schema: int
    key: str
    """Hex digest of inputs, options and code version."""
    options: Mapping[str, Any]
    seed: int | None
    inputs: Mapping[str, str]
    """Digest of each input by role."""
    versions: Mapping[str, str]
    counts: Mapping[str, int]
    failures: int
    """Rows of `failures.json`: samples left out with the reason."""
    created: str
    """UTC, ISO 8601."""
    details: Mapping[str, Any]
    """What else the kind records, such as class names or the model's normalisation."""
    names: Sequence[str] | None = None
    """Files and folders at the top of the directory, so that what others put there is known; None in manifests from before it was noted."""


def artifact_key(*, kind: str, schema: int, inputs: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """The digest under which an artifact can be found again: kind, schema, inputs, options and code version."""
    body = {"kind": kind, "schema": schema, "inputs": dict(inputs), "options": dict(options), "version": __version__}
    return hashlib.sha256(to_json(body, indent=None).encode()).hexdigest()


def read_manifest(directory: Path, *, kind: str | None = None) -> Manifest:
    """The manifest of an artifact.

    Raises:
        ArtifactError: there is no manifest, it cannot be read, or it is of another kind than `kind`.
    """
    path = Path(directory) / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(**content)
    except FileNotFoundError as error:
        raise ArtifactError(f"{directory}: no artifact is here ({MANIFEST} is absent). Give a directory that figureground wrote") from error
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactError(f"{path}: the manifest cannot be read ({error}). Remove the directory, and run it again") from error
    if kind is not None and manifest.kind != kind:
        raise ArtifactError(f"{directory}: expected an artifact of kind '{kind}', found '{manifest.kind}'")
    return manifest


def is_artifact(directory: Path) -> bool:
    """True where a finished artifact stands."""
    return (Path(directory) / MANIFEST).is_file()


class ArtifactWriter:
    """Writes one artifact: open, put files into `path`, `finish`.

    Args:
        out: final directory. It may be absent, empty, or an older artifact of the same kind, which `finish` replaces.
        kind: kind of artifact, such as `audit`.
        schema: version of the files in it.
        key: from `artifact_key`.
        sources: every file that is read to make it.
        reporter: told where an artifact of another key is going to be replaced; default nobody.

    Raises:
        ArtifactError: `out` holds something that is not an artifact of this kind.
        BusyError: another run writes there.
        InputError: `out` cannot be written, holds one of the sources, or holds what its artifact did not write.
    """

    def __init__(
        self, out: Path, *, kind: str, schema: int, key: str, sources: Iterable[str | Path] = (), reporter: Reporter | None = None
    ) -> None:
        self.out, self.kind, self.schema, self.key = named_place(Path(out)), kind, schema, key
        self.path = partial_place(self.out)
        check_sources(self.out, sources)
        _check_target(self.out, kind)
        _tell_replaced(self.out, key, reporter or QuietReporter())
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            _take_lock(self.path / LOCK_FILE)
            if _text(self.path / KEY_FILE) == key:
                _remove_unfinished(self.path)
            else:
                _empty(self.path, keep=LOCK_FILE)
                write_atomically(self.path / KEY_FILE, key.encode())
            (self.path / SHARDS).mkdir(exist_ok=True)
        except BlockingIOError as error:
            raise BusyError(f"{self.out}: another run is writing there right now. Wait for it, or choose another --out") from error
        except OSError as error:
            raise InputError(f"{self.out}: cannot write there ({error.strerror}). Choose another --out") from error

    def shard(self, name: str) -> Path:
        """Where the shard of that name stands, or will."""
        return self.path / SHARDS / name

    def write_shard(self, name: str, content: bytes) -> Path:
        """Writes a shard under a temporary name and renames it, so that a shard which exists is whole."""
        return write_atomically(self.shard(name), content)

    def discard(self) -> None:
        """Removes what was made so far, where the same command could only end in the same refusal."""
        shutil.rmtree(self.path, ignore_errors=True)

    def finish(
        self,
        *,
        options: Mapping[str, Any],
        inputs: Mapping[str, str],
        counts: Mapping[str, int],
        seed: int | None = None,
        failures: Sequence[Fault] = (),
        details: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """Writes failures and manifest, gives the directory its final name, and then removes what it took to make it.

        An interruption costs nothing: until the directory has its name the shards are there for the same command to go on from, and
        afterwards `finished` removes what is left of them.

        Raises:
            InputError: somebody put files into the older artifact meanwhile.
        """
        _check_foreign(self.out)
        names = {entry.name for entry in self.path.iterdir()}.difference(_TRACES) | {FAILURES, MANIFEST}
        manifest = Manifest(
            kind=self.kind,
            schema=self.schema,
            key=self.key,
            options=dict(options),
            seed=seed,
            inputs=dict(inputs),
            versions=library_versions(),
            counts=dict(counts),
            failures=len(failures),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            details=dict(details or {}),
            names=sorted(names),
        )
        write_atomically(self.path / FAILURES, to_json([dataclasses.asdict(fault) for fault in failures]).encode())
        write_atomically(self.path / MANIFEST, to_json(dataclasses.asdict(manifest)).encode())
        _replace_directory(self.path, self.out)
        _remove_traces(self.out)
        _drop_lock(self.path / LOCK_FILE)
        return manifest


def finished(out: Path, *, kind: str, key: str, max_failures: int | None = None) -> bool:
    """True where `out` already holds the artifact of this key: nothing is left to do.

    Shards that an interruption at the very end left in it are removed.

    Args:
        out: its directory.
        kind: of artifact.
        key: from `artifact_key`.
        max_failures: samples that may be listed in its failures.json, where that is no part of the key; None = not looked at.

    Raises:
        FormatError: more are listed, of which it is the first.
    """
    if not is_artifact(out) or (manifest := read_manifest(out)).kind != kind or manifest.key != key:
        return False
    if max_failures is not None and manifest.failures > max_failures:
        faults = [Fault(**row) for row in json.loads((Path(out) / FAILURES).read_text(encoding="utf-8"))]
        with may_leave_out():
            check_failures(faults, max_failures)
    _remove_traces(Path(out))
    return True


def tidy(directory: Path) -> None:
    """Removes what killed runs left of finished artifacts below a directory, and of files that they were just writing beside them.

    Artifacts in the making are left alone: the same command goes on from what stands there.
    """
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not is_partial(name) and not name.startswith(".")]
        for name in filter(is_temporary, names):
            Path(folder, name).unlink(missing_ok=True)
        if MANIFEST in names:
            _remove_traces(Path(folder))


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON with sorted keys; numpy numbers become numbers, non-finite ones null, paths and tuples texts and lists."""
    return json.dumps(_plain(value), indent=indent, sort_keys=indent is None, ensure_ascii=False, allow_nan=False)


def library_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return dict(_library_versions())


@functools.cache
def _library_versions() -> tuple[tuple[str, str], ...]:
    """Asked once a process: looking through what is installed takes a while."""
    found = [("figureground", __version__), ("python", platform.python_version())]
    for name in ("numpy", "numba", "pyarrow", "opencv-python-headless", "pillow", "scipy", "torch"):
        with suppress(PackageNotFoundError):
            found.append((name, version(name)))
    return tuple(found)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def _check_target(out: Path, kind: str) -> None:
    if is_artifact(out):
        if (found := read_manifest(out).kind) != kind:
            raise ArtifactError(f"{out}: holds an artifact of kind '{found}', which '{kind}' will not overwrite. Choose another --out")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ArtifactError(f"{out}: exists and is no figureground artifact, so it is left alone. Choose another --out, or empty it")
    _check_foreign(out)


def _check_foreign(out: Path) -> None:
    """Raise `InputError` where the artifact that would be replaced holds what it did not write."""
    if not is_artifact(out) or (written := read_manifest(out).names) is None:
        return
    known = {*written, *_TRACES, *_ADDED_LATER}
    if foreign := sorted(entry.name for entry in out.iterdir() if entry.name not in known and not is_temporary(entry.name)):
        listed = ", ".join(foreign[:5]) + (", ..." if len(foreign) > 5 else "")
        raise InputError(f"{out}: holds {listed} beside the artifact that would be replaced. Move them elsewhere, or choose another --out")


def _tell_replaced(out: Path, key: str, reporter: Reporter) -> None:
    if is_artifact(out) and (old := read_manifest(out)).key != key:
        reporter.say(
            f"{out}: the artifact '{old.kind}' of {old.created} there has other options, inputs or another version of figureground; "
            "it is replaced when the new one is finished"
        )


def _take_lock(path: Path) -> None:
    """Lets no other process write beside this one; raises `BlockingIOError` where one does."""
    try:
        import fcntl
    except ImportError:
        return  # no such lock on this system: two runs into one directory are then not told apart
    if _holds(path := path.absolute()):
        return
    _drop_lock(path)  # of a directory that has its final name by now
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _locks[path] = descriptor
        if not _holds(path):
            raise BlockingIOError(f"{path} was moved by the run that held it")
    except OSError:
        _locks.pop(path, None)
        os.close(descriptor)
        raise


def _holds(path: Path) -> bool:
    """True where this process holds the lock that stands there now, and not one of a directory that was moved since."""
    try:
        return path in _locks and os.path.samestat(os.fstat(_locks[path]), path.stat())
    except FileNotFoundError:
        return False


def _drop_lock(path: Path) -> None:
    if (descriptor := _locks.pop(path.absolute(), None)) is not None:
        os.close(descriptor)


def _empty(directory: Path, *, keep: str) -> None:
    for name in (KEY_FILE, MANIFEST):  # first, so that an interruption leaves nothing that would be gone on from or looks finished
        (directory / name).unlink(missing_ok=True)
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != keep:
            entry.unlink()


def _remove_unfinished(directory: Path) -> None:
    """Removes what a killed run was just writing, and the manifest: from now on the directory is in the making again."""
    (directory / MANIFEST).unlink(missing_ok=True)
    for folder, _, names in os.walk(directory):
        for name in filter(is_temporary, names):
            Path(folder, name).unlink(missing_ok=True)


def _remove_traces(out: Path) -> None:
    """Removes what it took to make a finished artifact; what cannot be removed does no harm, so that is no error."""
    shutil.rmtree(out / SHARDS, ignore_errors=True)
    shutil.rmtree(replaced_place(out), ignore_errors=True)
    for name in (KEY_FILE, LOCK_FILE):
        with suppress(OSError):
            (out / name).unlink(missing_ok=True)


def _replace_directory(new: Path, out: Path) -> None:
    """Gives a directory its final name; what stood there is under a hidden name until `_remove_traces`."""
    if out.exists():
        shutil.rmtree(replaced_place(out), ignore_errors=True)
        out.rename(replaced_place(out))
    new.rename(out)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
