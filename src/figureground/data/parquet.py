"""Parquet files opened so that one that is damaged is told from one that changed while it was read."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import Fault, FiguregroundError, FormatError, InputError
from figureground.data import paths
from figureground.data.faults import quoted, refusal

FAULTS = pa.schema([(field.name, pa.string()) for field in dataclasses.fields(Fault)])
"""Of tables of what was left out."""
READ_FAULTS = (pa.ArrowException, OSError, ValueError, KeyError, IndexError, TypeError, OverflowError)
"""What reading a damaged file raises."""
PREDICT_AGAIN = "Predict again; `figureground predict`, given the same command, mends the tables that it wrote"
WRITE_AGAIN = "Write it again from its source"


class ChangedMeanwhile(InputError):
    """A file is no longer the one that was opened."""


def open_parquet(file: str, *, since: str | None = None, code: str = "corrupt-file", remedy: str = PREDICT_AGAIN) -> pq.ParquetFile:
    """An open Parquet file, of which no more is fetched than is read.

    Args:
        file: path or URL.
        since: its `paths.stamp` when it was first opened; default now.
        code: the fault of a damaged one.
        remedy: what to do about it.

    Raises:
        FormatError: absent or damaged.
        ChangedMeanwhile: damaged, and not the file it was.
    """
    since = since or (None if paths.is_url(file) else paths.stamp(file))
    try:
        return pq.ParquetFile(paths.open_binary(file) if paths.is_url(file) else file)
    except FileNotFoundError as error:
        raise refusal("missing-file", "there is no such file", remedy, file=file) from error
    except InputError:
        raise  # nothing here reads such a URL
    except READ_FAULTS as error:
        raise unreadable(file, error, since=since, code=code, remedy=remedy) from error


def unreadable(
    file: str,
    error: Exception,
    *,
    since: str | None = None,
    part: str = "",
    code: str = "corrupt-file",
    remedy: str = PREDICT_AGAIN,
    sample: str | None = None,
) -> FiguregroundError:
    """The error of a table that cannot be read: what tells of a file already stays, and a file that changed since is not blamed.

    Args:
        file: path or URL.
        error: what reading raised.
        since: the file's `paths.stamp` when it was opened; None where that is not known.
        part: what of it, such as `row group 3`.
        code: the fault.
        remedy: what to do about it.
        sample: whose row was read.
    """
    if isinstance(error, FormatError | ChangedMeanwhile):
        return error
    if since is not None and not (now := paths.stamp(file)).startswith("unknown:") and now != since:
        return ChangedMeanwhile(f"{file}: changed while it was read. Run the same command again")
    where = f" in {part}" if part else ""
    return refusal(code, f"the Parquet table cannot be read{where} ({quoted(error)})", remedy, file=file, sample=sample)
