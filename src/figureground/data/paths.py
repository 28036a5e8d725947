"""Files by path or fsspec URL: plain `open` for local paths, fsspec for the rest, every failure a `FormatError`."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path, PurePosixPath
from typing import Any

from figureground.core.errors import InputError
from figureground.data.faults import refusal

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "updated", "modified", "created")
"""What file systems call that by which a file can be told from another version of it: tags of the content first, then times."""


def is_url(path: str) -> bool:
    """True for `scheme://...`; a Windows drive letter is no scheme."""
    return _URL.match(path) is not None


def join(folder: str, relative: str) -> str:
    """`relative` seen from `folder`; an absolute path or URL stays as it is, and an empty one gives the folder."""
    if not relative:
        return folder
    if is_url(relative) or os.path.isabs(relative):  # noqa: PTH117 - here and below: Path objects take most of the time of a large folder
        return relative
    if is_url(folder):
        return f"{folder.rstrip('/')}/{relative}"
    return os.path.join(folder, relative)  # noqa: PTH118


def absolute(path: str) -> str:
    """The path as it reads from any folder; a URL stays as it is."""
    return path if is_url(path) else os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps `..`


def parent(path: str) -> str:
    """The folder that a file lies in."""
    if is_url(path):
        return path.rstrip("/").rpartition("/")[0]
    return str(Path(path).parent)


def leaf(path: str) -> str:
    """The last part of a path or URL, with its suffix."""
    return path.rstrip("/").replace(os.sep, "/").rpartition("/")[2]


def stem(path: str) -> str:
    """The last part of a path or URL without its suffix; only the last suffix is cut."""
    return PurePosixPath(leaf(path)).stem


def read_bytes(path: str, *, sample: str | None = None) -> bytes:
    """The content of a file; an absent, unreadable or empty one raises `FormatError`."""
    try:
        data = _ask(path, "cat_file") if is_url(path) else Path(path).read_bytes()
    except FileNotFoundError as error:
        raise _missing(path, sample) from error
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise refusal(
            "unreadable-file",
            f"the file cannot be read ({_reason(error)})",
            "Check that it is a file, and its permissions",
            file=path,
            sample=sample,
        ) from error
    if not data:
        raise refusal("empty-file", "the file has zero bytes", "Write it again from its source", file=path, sample=sample)
    return data


def read_text(path: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; another encoding raises `FormatError`."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refusal(
            "bad-encoding",
            f"byte {error.start} is not UTF-8",
            "Save the file as UTF-8",
            file=path,
        ) from error


def exists(path: str) -> bool:
    """True if there is a file or folder."""
    if is_url(path):
        return bool(_ask(path, "exists"))
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def is_folder(path: str) -> bool:
    """True if there is a folder."""
    if is_url(path):
        return bool(_ask(path, "isdir"))
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def list_files(folder: str) -> list[str]:
    """Files below a folder at any depth, as sorted relative paths with `/`; hidden ones are left out.

    Raises:
        FormatError: there is no such folder.
    """
    if not is_folder(folder):
        raise _missing(folder, None, what="folder")
    if is_url(folder):
        base = _inner(folder).rstrip("/")
        found = [str(item)[len(base) :].lstrip("/") for item in _ask(folder, "find")]
    else:
        found = [
            f"{below}/{name}" if below != "." else name
            for root, _, names in os.walk(folder)
            for below in (os.path.relpath(root, folder).replace(os.sep, "/"),)
            for name in names
        ]
    return sorted(item for item in found if not any(part.startswith(".") for part in item.split("/")))


def list_folders(folder: str) -> list[str]:
    """Names of the folders right in a folder, sorted; hidden ones are left out. There is none in what is no folder."""
    if not is_folder(folder):
        return []
    if is_url(folder):
        found = [leaf(str(item["name"])) for item in _ask(folder, "ls") if item["type"] == "directory"]
    else:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if entry.is_dir()]
    return sorted(name for name in found if not name.startswith("."))


def stamp(path: str) -> str:
    """Size and time of change of a file as text, for fingerprints; of a URL its size and tag (ETag), or its time where it has no tag.

    An absent file gives `absent`. Where a server tells neither tag nor time, the content is read; a file of which nothing can be found out
    gives another text each time, so that it never counts as unchanged.
    """
    try:
        if is_url(path):
            info = _ask(path, "info")
            known = next((str(info[key]) for key in _TAGS if info.get(key)), None)
            return f"{info.get('size')}:{known or content_digest(read_bytes(path))}"
        found = os.stat(path)  # noqa: PTH116
        return f"{found.st_size}:{found.st_mtime_ns}"
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    except (OSError, ValueError):
        return f"unknown:{uuid.uuid4()}"


def strict_stamp(path: str) -> str:
    """`stamp` with the path and, of a local file, the time at which its entry changed, which no tool that copies can set back.

    So another file of the same size and time, as `tar` and `rsync` write it, is noticed; one that was only linked or given other rights
    is taken for changed too.
    """
    try:
        changed = "" if is_url(path) else os.stat(path).st_ctime_ns  # noqa: PTH116
    except (OSError, ValueError):
        changed = ""
    return f"{path}\t{stamp(path)}:{changed}"


def content_digest(data: bytes) -> str:
    """Digest of a file's content: BLAKE2b of 16 bytes, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def check_name(path: str) -> None:
    """Raise the `bad-encoding` fault if the name of a file or folder is not UTF-8: ids, tables and reports could not hold it."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise refusal(
            "bad-encoding",
            "the name of the file is not UTF-8",
            "Rename it",
            file=printable(path),
        ) from error


def printable(text: str) -> str:
    r"""The text as it can be printed anywhere: bytes that are not UTF-8 as escapes such as `\xff`."""
    try:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:  # half of a pair, which no file name of this system gives
        return text.encode(errors="backslashreplace").decode()


def open_binary(path: str) -> Any:
    """An open binary file for readers that need only its head; the caller closes it."""
    return _ask(path, "open") if is_url(path) else Path(path).open("rb")


def _remote(url: str) -> Any:
    import fsspec  # only URLs pay for its import

    protocol = url.partition("://")[0]
    try:
        return fsspec.filesystem(protocol)
    except ImportError as error:
        raise InputError(f"{url}: reading `{protocol}://` needs another package ({error}). Install it, or copy the files here") from error
    except ValueError as error:
        raise InputError(f"{url}: no file system is known for `{protocol}://`. Give a local path or a URL that fsspec can open") from error


def _ask(url: str, method: str) -> Any:
    """What a file system's method says of a URL; whatever it raises becomes an `OSError`, as for local files."""
    system = _remote(url)
    try:
        return getattr(system, method)(_inner(url))
    except OSError:
        raise
    except Exception as error:  # every file system raises errors of its own
        raise OSError(str(error)) from error


def _inner(url: str) -> str:
    return _remote(url)._strip_protocol(url)


def _missing(path: str, sample: str | None, *, what: str = "file") -> Exception:
    return refusal("missing-file", f"there is no such {what}", "Correct the path, or bring the data here", file=path, sample=sample)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
