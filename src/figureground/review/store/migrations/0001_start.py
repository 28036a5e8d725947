"""Version 1: samples, people, ratings, patches, masks in tiles, leases, checks."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

meta = MetaData()


def _number() -> Column[int]:
    return Column("number", Integer, primary_key=True, autoincrement=True)


def _place() -> Column[int]:
    return Column("place", Integer, ForeignKey("sample.place"), nullable=False)


def _reviewer() -> Column[int]:
    return Column("reviewer", Integer, ForeignKey("reviewer.number"), nullable=False)


def _mask() -> Column[int]:
    return Column("mask", Integer, ForeignKey("mask.number"), nullable=False)


def _text(name: str, *, nullable: bool = False, unique: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, unique=unique)


def _whole(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _seconds() -> Column[float]:
    return Column("seconds", Float(53), nullable=False)


Table("project", meta, _number(), _text("name"), _text("digest"), _text("classes_json"), _text("created"), CheckConstraint("number = 1"))
Table(
    "sample",
    meta,
    Column("place", Integer, primary_key=True, autoincrement=False),
    _text("id", unique=True),
    _whole("height"),
    _whole("width"),
)
Table(
    "reviewer",
    meta,
    _number(),
    _text("name", unique=True),
    _text("role"),
    _text("token_hash", nullable=True, unique=True),
    _whole("seed"),
    _text("created"),
    _text("revoked", nullable=True),
    CheckConstraint("role IN ('reviewer', 'checker', 'admin')"),
)
Table("session", meta, Column("key_hash", Text, primary_key=True), _reviewer(), _text("created"), _text("expires"))
_rating = Table(
    "rating",
    meta,
    _number(),
    _place(),
    _reviewer(),
    _whole("showing"),
    Column("score", Integer),
    Column("out_of_domain", Boolean, nullable=False),
    _seconds(),
    _text("created"),
    _text("withdrawn", nullable=True),
    CheckConstraint("(score IS NULL) = out_of_domain"),
    CheckConstraint("score BETWEEN 1 AND 5"),
)
_live = text("withdrawn IS NULL")
Index(
    "rating_live",
    _rating.c.reviewer,
    _rating.c.place,
    _rating.c.showing,
    unique=True,
    sqlite_where=_live,
    postgresql_where=_live,
)
Index("rating_of_place", _rating.c.showing, _rating.c.place, _rating.c.out_of_domain, sqlite_where=_live, postgresql_where=_live)
Table("gold", meta, Column("place", Integer, ForeignKey("sample.place"), primary_key=True, autoincrement=False), Column("score", Integer))
Table(
    "patch",
    meta,
    _place(),
    _reviewer(),
    _whole("rows"),
    _whole("columns"),
    Column("cells", LargeBinary, nullable=False),
    _whole("version"),
    _seconds(),
    _text("created"),
    _text("updated"),
    PrimaryKeyConstraint("place", "reviewer", "rows", "columns"),
)
Table(
    "mask",
    meta,
    _number(),
    _place(),
    _reviewer(),
    _whole("version"),
    _text("status"),
    _whole("actions"),
    _seconds(),
    _text("created"),
    _text("updated"),
    UniqueConstraint("place", "reviewer"),
    CheckConstraint("status IN ('draft', 'submitted', 'returned', 'accepted')"),
)
Table(
    "mask_tile",
    meta,
    _mask(),
    _whole("row"),
    _whole("column"),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("mask", "row", "column"),
)
Table("mask_save", meta, _mask(), _text("key"), _whole("version"), PrimaryKeyConstraint("mask", "key"))
Table("lease", meta, _place(), _reviewer(), _text("until"), PrimaryKeyConstraint("place", "reviewer"))
Table(
    "check_",
    meta,
    _number(),
    _mask(),
    _whole("mask_version"),
    _reviewer(),
    _text("verdict"),
    _text("comment"),
    _text("marks_json"),
    _text("created"),
    UniqueConstraint("mask", "mask_version"),
    CheckConstraint("verdict IN ('accepted', 'returned')"),
)


def up(connection: Connection) -> None:
    """Makes every table of version 1."""
    meta.create_all(connection, checkfirst=False)
