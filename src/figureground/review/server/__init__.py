"""The web server of the review page: one FastAPI app over a project and a database."""

from __future__ import annotations

__all__: list[str] = []
