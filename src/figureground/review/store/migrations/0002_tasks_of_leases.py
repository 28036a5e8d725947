"""Version 2: leases are for patches and checks too, not for masks only."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKey, Integer, MetaData, PrimaryKeyConstraint, Table, Text, insert, select

before, meta = MetaData(), MetaData()
_old = Table("lease", before, Column("place", Integer), Column("reviewer", Integer), Column("until", Text))
_reviewer = Table("reviewer", meta, Column("number", Integer, primary_key=True))
_new = Table(
    "lease",
    meta,
    Column("task", Text, nullable=False),
    Column("item", Integer, nullable=False),
    Column("reviewer", Integer, ForeignKey("reviewer.number"), nullable=False),
    Column("until", Text, nullable=False),
    PrimaryKeyConstraint("task", "item", "reviewer"),
    CheckConstraint("task IN ('patches', 'mask', 'check')"),
)


def up(connection: Connection) -> None:
    """Makes the table anew; the leases in it were for masks."""
    kept = [{"task": "mask", "item": row.place, "reviewer": row.reviewer, "until": row.until} for row in connection.execute(select(_old))]
    _old.drop(connection)
    _new.create(connection)
    if kept:
        connection.execute(insert(_new), kept)
