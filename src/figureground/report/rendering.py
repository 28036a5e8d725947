"""The templates of every report: escaped, strict, and without characters that a page cannot hold."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from figureground.report import risk, words

LIMIT = 4_600_000
"""Bytes a page may have; what text and numbers leave is for the pictures."""
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Characters that HTML or UTF-8 cannot hold; ids and names may bring them."""
FILTERS = ("percent", "bare", "interval", "plain", "count", "pixels", "listing", "plural", "hours", "ordinal")


@cache
def environment() -> Environment:
    """The template environment: everything is escaped, and an unknown name is an error."""
    found = Environment(
        loader=PackageLoader("figureground.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    found.filters.update({name: getattr(words, name) for name in FILTERS})
    found.globals.update(words=words, VERDICTS=words.VERDICTS, REASONS=words.REASONS, SCORES=risk.SCORES)
    return found


def source(name: str) -> str:
    """The text of a style or script beside the templates."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0]


def policy_digest(script: str) -> str:
    """The digest by which a page's policy allows one script and no other."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _printable(value: object) -> object:
    return CONTROL.sub("\ufffd", value) if isinstance(value, str) and CONTROL.search(value) else value
