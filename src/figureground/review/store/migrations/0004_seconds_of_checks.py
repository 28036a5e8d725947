"""Version 4: how long a check took."""

from __future__ import annotations

from sqlalchemy import Connection, text


def up(connection: Connection) -> None:
    """Adds the column; the time of older checks is not known, and is 0."""
    connection.execute(text("ALTER TABLE check_ ADD COLUMN seconds DOUBLE PRECISION NOT NULL DEFAULT 0"))
