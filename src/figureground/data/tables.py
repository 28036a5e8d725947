"""Tables of texts from CSV and Parquet: ids keep their zeros, and every crooked row is named."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from figureground.core.errors import FormatError, InputError
from figureground.data import paths
from figureground.data.faults import quoted, refusal, some
from figureground.data.spec import nearest, rows_of_part


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """Rows of texts; an empty cell is the empty string."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    def require(self, column: str) -> None:
        """Raise `FormatError` if there is no such column."""
        if column not in self.columns:
            listed = ", ".join(f"`{c}`" for c in self.columns)
            raise refusal(
                "bad-table",
                f"there is no column `{column}`; the columns are {listed}",
                f"Add the column, or correct its name.{nearest(column, self.columns)}".rstrip(),
                file=self.file,
            )


def check_samples(table: TextTable) -> None:
    """Raise the `bad-table` fault if a table of samples has no row."""
    if not table.rows:
        raise no_samples(table.file)


def no_samples(file: str) -> FormatError:
    """The refusal of a table of samples without a row."""
    return refusal("bad-table", "the table has no samples", "Write one row for each sample below the header", file=file)


def read_table(path: str, *, part: tuple[int, int] | None = None) -> TextTable:
    """A CSV (UTF-8, with or without byte order mark; tabs for `.tsv`) or Parquet table, every cell as text.

    Args:
        path: file or URL.
        part: number and count: one of so many parts of its rows; of a Parquet file on disk the other rows are not read.

    Raises:
        InputError: an empty part.
        FormatError: the file is absent, damaged, not UTF-8, has no header, two columns of one name, or a row of another length.
    """
    if part and paths.leaf(path).endswith(".parquet") and not paths.is_url(path) and paths.exists(path):
        return _from_parquet(path, path, part)
    data = paths.read_bytes(path)
    if data.startswith(b"PAR1") or paths.leaf(path).endswith(".parquet"):
        return _from_parquet(data, path, part)
    table = _from_csv(paths.read_text(path), path, delimiter="\t" if paths.leaf(path).endswith(".tsv") else ",")
    if part is None:
        return table
    rows = rows_of_part(len(table.rows), *part, what=path)
    return replace(table, rows=table.rows[rows.start : rows.stop])


def unique_ids(table: TextTable, column: str = "id") -> list[str]:
    """The ids of a table in order; an absent column, an empty id or a duplicate raises `FormatError`."""
    table.require(column)
    ids = [row[column] for row in table.rows]
    if "" in ids:
        raise refusal("bad-table", f"row {ids.index('') + 1} has no `{column}`", "Give each row an id", file=table.file)
    check_unique(ids, file=table.file)
    return ids


def check_unique(ids: list[str], *, file: str | None) -> None:
    """Raise the `duplicate-id` fault if an id stands twice."""
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for i in ids:
        if i in seen:
            twice[i] = None
        seen.add(i)
    names = list(twice)
    raise refusal(
        "duplicate-id",
        f"{'the id' if len(names) == 1 else 'the ids'} {some(names)} {'stands' if len(names) == 1 else 'stand'} for more than one row",
        "Give each sample its own id",
        file=file,
        sample=names[0] if len(names) == 1 else None,
    )


def _from_csv(text: str, path: str, *, delimiter: str) -> TextTable:
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if line]
    except csv.Error as error:
        raise refusal("bad-table", f"the table cannot be parsed ({error})", "Save it again as CSV", file=path) from error
    if not lines:
        raise refusal("bad-table", "the table has no header line", "Write the column names in its first line", file=path)
    columns = tuple(name.strip() for name in lines[0])
    _check_columns(columns, path)
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(columns):
            raise refusal(
                "bad-table",
                f"row {number} has {len(line)} cells and the header {len(columns)}",
                "Put quotes around cells that hold commas, or fill the row",
                file=path,
            )
    return TextTable(file=path, columns=columns, rows=tuple(dict(zip(columns, line, strict=True)) for line in lines[1:]))


def _from_parquet(source: bytes | str, path: str, part: tuple[int, int] | None) -> TextTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            table = file.read() if part is None else _parquet_rows(file, rows_of_part(file.metadata.num_rows, *part, what=path))
        flat = [name for name in table.column_names if not pa.types.is_nested(table.schema.field(name).type)]
        texts = [[_cell_text(value) for value in table[name].to_pylist()] for name in flat]
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise refusal(
            "bad-table", f"the Parquet table cannot be read ({quoted(error)})", "Write it again from its source", file=path
        ) from error
    _check_columns(tuple(flat), path)
    return TextTable(file=path, columns=tuple(flat), rows=tuple(dict(zip(flat, cells, strict=True)) for cells in zip(*texts, strict=True)))


def _parquet_rows(file: Any, rows: range) -> Any:
    """Some consecutive rows, read from the row groups that hold them."""
    import pyarrow as pa

    first, kept = 0, []
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        low, high = max(rows.start, first), min(rows.stop, first + size)
        if low < high:
            kept.append(file.read_row_group(group).slice(low - first, high - low))
        first += size
    return pa.concat_tables(kept)


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _check_columns(columns: tuple[str, ...], path: str) -> None:
    if "" in columns:
        raise refusal("bad-table", f"column {columns.index('') + 1} has no name", "Name every column in the first line", file=path)
    if len(set(columns)) != len(columns):
        twice = next(c for i, c in enumerate(columns) if c in columns[:i])
        raise refusal("bad-table", f"there are two columns `{twice}`", "Rename or remove one", file=path)
