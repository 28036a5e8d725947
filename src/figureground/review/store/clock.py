"""Times as the database keeps them: UTC, ISO 8601 with milliseconds, so that texts sort as times do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now(*, minutes: float = 0) -> str:
    """The present time, or one so many minutes from it: `2026-01-31T09:30:00.000+00:00`."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
