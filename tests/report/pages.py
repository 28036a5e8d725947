"""A strict reading of a page, and what tries it: names that look like markup, and numbers that are absent."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "input"}
LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "cite", "manifest", "ping"}
NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a & b 'c' \"d\"",
    "cat \N{PILE OF POO}\N{ZERO WIDTH JOINER}",
    "\u05d7\u05ea\u05d5\u05dc \u202ertl",
    "x" * 300,
)


class Page(HTMLParser):
    """A strict reading: every tag closed in order; keeps elements, ids, links and texts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> says an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"[ \n]+", " ", " ".join(self.texts))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def check_nothing_is_loaded(html: str, page: Page) -> None:
    """No element and no style asks for anything outside the file, and the policy forbids what might."""
    for tag, attrs in page.elements:
        assert tag not in {"iframe", "object", "embed", "base", "form"}
        for name in LOADING & attrs.keys():
            assert (attrs[name] or "").startswith("data:"), (tag, name)
        if tag in {"link", "use", "image"}:
            assert (attrs["href"] or "").startswith(("data:", "#"))
    assert "http://" not in html
    assert "https://" not in html
    assert not re.search(r"url\((?!#)|@import|//cdn|fetch\(|XMLHttpRequest|import\(", html)
    assert "default-src 'none'" in policy_of(page)


def policy_of(page: Page) -> str:
    """The content security policy of a page."""
    return next(attrs["content"] or "" for attrs in page.all("meta") if attrs.get("http-equiv") == "Content-Security-Policy")


def nulled(node):
    """The same structure with every number null."""
    if isinstance(node, dict):
        return {key: nulled(value) for key, value in node.items()}
    if isinstance(node, list):
        return [nulled(value) for value in node]
    return None if isinstance(node, float | int) and not isinstance(node, bool) else node
