"""Small writes that come at the same time share one transaction, since on SQLite it is the sync to disk that takes long.

Whoever comes first writes for all who wait by then; the others find their work done. Each piece has a savepoint of its own, so one that is
refused takes nothing with it, and nobody is answered before the whole is on the disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from figureground.review.store.database import Database

T = TypeVar("T")


class _Piece:
    """One write, and what became of it."""

    def __init__(self, call: Callable[[Connection], Any]) -> None:
        self.call, self.value, self.error, self.done = call, None, None, False

    def run(self, connection: Connection) -> None:
        try:
            with connection.begin_nested():
                self.value = self.call(connection)
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            self.error = error


class Together:
    """Writes of many threads to one database.

    Args:
        database: where to; on PostgreSQL, which syncs for several at once by itself, each write is a transaction of its own.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.alone = database.engine.dialect.name != "sqlite"
        self._waiting: deque[_Piece] = deque()
        self._turn = threading.Lock()

    def write(self, call: Callable[[Connection], T]) -> T:
        """What `call(connection)` returns, once it is on the disk; its error where it raises one."""
        if self.alone:
            with self.database.write() as connection:
                return call(connection)
        piece = _Piece(call)
        self._waiting.append(piece)
        with self._turn:
            if not piece.done:
                self._write_all()
        if piece.error is not None:
            raise piece.error
        return piece.value  # type: ignore[return-value]

    def _write_all(self) -> None:
        pieces: list[_Piece] = []
        try:
            with self.database.write() as connection:
                while self._waiting:
                    pieces.append(self._waiting.popleft())
                    pieces[-1].run(connection)
        except Exception as error:  # noqa: BLE001 - nothing was kept, and all of them are told
            while self._waiting:  # where not even the transaction could begin
                pieces.append(self._waiting.popleft())
            for piece in pieces:
                piece.error = error
        for piece in pieces:
            piece.done = True
