"""The tables as they are today, for queries: names and types. Keys and checks stand in the migrations, and the database keeps them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, MetaData, Table, Text

meta = MetaData()


def _columns(kind: type, names: str) -> list[Column]:
    return [Column(name, kind) for name in names.split()]


schema_version = Table("schema_version", meta, Column("number", Integer, primary_key=True), *_columns(Text, "name applied"))
"""One row a migration that was applied."""

project = Table(
    "project", meta, *_columns(Integer, "number"), *_columns(Text, "name digest classes_json created identity target_name target_json")
)
"""One row: what this database is about. `identity` is made with it; `target_json` holds the marks of the target, null = not known."""

sample = Table("sample", meta, *_columns(Integer, "place height width"), *_columns(Text, "id"))
"""The samples of the project; `place` is the number by which every other table names one."""

reviewer = Table("reviewer", meta, *_columns(Integer, "number seed"), *_columns(Text, "name role token_hash created revoked"))
"""People. `token_hash` is null for the one of a local page; who is `revoked` keeps what he did and enters no more."""

session = Table("session", meta, *_columns(Integer, "reviewer"), *_columns(Text, "key_hash created expires"))
"""Who is signed in; the key itself is only in the browser."""

rating = Table(
    "rating",
    meta,
    *_columns(Integer, "number place reviewer showing score"),
    *_columns(Boolean, "out_of_domain"),
    *_columns(Float, "seconds"),
    *_columns(Text, "created withdrawn"),
)
"""Ratings; one that was taken back or replaced has a time in `withdrawn`. One is live per place, reviewer and showing."""

gold = Table("gold", meta, *_columns(Integer, "place score"))
"""Places whose score is known; null = out of domain."""

patch = Table(
    "patch",
    meta,
    *_columns(Integer, "place reviewer rows columns version"),
    *_columns(LargeBinary, "cells"),
    *_columns(Float, "seconds"),
    *_columns(Text, "created updated"),
)
"""Grids of cells, eight to a byte, row by row, foreground = 1."""

mask = Table(
    "mask",
    meta,
    *_columns(Integer, "number place reviewer version actions"),
    *_columns(Float, "seconds"),
    *_columns(Text, "status created updated"),
)
"""Masks; what is painted stands in `mask_tile`."""

mask_tile = Table("mask_tile", meta, *_columns(Integer, "mask row column"), *_columns(LargeBinary, "content"))
"""Class places of 256 x 256 pixels, less at the right and lower edge, uint8 row by row, packed by zlib."""

mask_save = Table("mask_save", meta, *_columns(Integer, "mask version"), *_columns(Text, "key"))
"""Keys of saves that were done, so that one that is sent twice is done once."""

lease = Table("lease", meta, *_columns(Text, "task until"), *_columns(Integer, "item reviewer"))
"""Who is at what, and until when nobody else is given it. `item` is a place; of the task `check`, the number of a mask."""

check = Table(
    "check_",
    meta,
    *_columns(Integer, "number mask mask_version reviewer"),
    *_columns(Float, "seconds"),
    *_columns(Text, "verdict comment marks_json created"),
)
"""Verdicts on masks by people who did not draw them."""
