"""The address of a database as people write it, and as the driver wants it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from figureground.core.errors import InputError

_PORT = 5432
_SSL_MODES = ("disable", "require", "verify-full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a database is."""

    url: URL
    """With the driver in it."""
    shown: str
    """For messages; a password is hidden."""
    arguments: dict[str, Any]
    """What the driver needs besides."""


def read_address(text: str) -> Address:
    """An address from `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST:PORT/NAME`.

    Of PostgreSQL, `?host=/DIRECTORY` is the one of a Unix socket, `?sslmode=` is `disable`, `require` (encrypted, whoever answers) or
    `verify-full`, and a password may come from the environment variable PGPASSWORD instead.

    Raises:
        InputError: another text.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise InputError(f"--database '{_masked(text)}': expected sqlite:///FILE or postgresql://USER@HOST/NAME") from error
    if url.drivername == "sqlite":
        return _sqlite(url)
    if url.drivername in ("postgresql", "postgres", "postgresql+pg8000"):
        return _postgresql(url.set(drivername="postgresql+pg8000"))
    raise InputError(f"--database: expected sqlite:///FILE or postgresql://USER@HOST/NAME, got '{url.drivername}://...'")


def _sqlite(url: URL) -> Address:
    if url.host or not url.database or url.database == ":memory:" or url.query:
        raise InputError(
            f"--database {url.render_as_string()}: a SQLite database is a file; write sqlite:///FILE, sqlite:////FILE from the root"
        )
    folder = Path(url.database).absolute().parent
    if not folder.is_dir():
        raise InputError(f"--database {url.render_as_string()}: there is no folder {folder}. Make it, or correct the path")
    return Address(url=url, shown=url.render_as_string(), arguments={"timeout": 60})


def _postgresql(url: URL) -> Address:
    shown = url.set(drivername="postgresql").render_as_string(hide_password=True)
    if unknown := set(url.query) - {"host", "sslmode"}:
        raise InputError(f"--database {shown}: unknown setting '{min(unknown)}'. Known: host, sslmode")
    arguments: dict[str, Any] = {"application_name": "figureground"}
    if folder := str(url.query.get("host", "")):
        arguments["unix_sock"] = str(Path(folder) / f".s.PGSQL.{url.port or _PORT}")
    arguments["ssl_context"] = _ssl_context(str(url.query.get("sslmode", "disable")), shown)
    if not url.username:
        url = url.set(username=os.environ.get("PGUSER") or _login())
    if url.password is None and (password := os.environ.get("PGPASSWORD")):
        url = url.set(password=password)
    return Address(url=url.set(query={}), shown=shown, arguments=arguments)


def _ssl_context(mode: str, shown: str) -> ssl.SSLContext | None:
    if mode not in _SSL_MODES:
        raise InputError(f"--database {shown}: sslmode '{mode}' is not one of {', '.join(_SSL_MODES)}")
    if mode == "disable":
        return None
    context = ssl.create_default_context()
    if mode == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _login() -> str:
    import getpass

    return getpass.getuser()


def _masked(text: str) -> str:
    """The text up to where a password could stand."""
    return text.split("@")[0].rpartition(":")[0] + ":...@..." if "@" in text else text[:80]
