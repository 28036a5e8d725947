"""Version 3: a database has an identity of its own, and knows the target that its ratings are of."""

from __future__ import annotations

import secrets

from sqlalchemy import Column, Connection, MetaData, Table, Text, text, update

_project = Table("project", MetaData(), Column("identity", Text))


def up(connection: Connection) -> None:
    """Adds both; what the target of an older database was is not known."""
    for column in ("identity TEXT NOT NULL DEFAULT ''", "target_name TEXT", "target_json TEXT"):
        connection.execute(text(f"ALTER TABLE project ADD COLUMN {column}"))
    connection.execute(update(_project).values(identity=secrets.token_hex(16)))
