"""The links that people find in their letters, and what is true of every page behind one."""

import re
from html.parser import HTMLParser
from typing import Any

from mailserver import MailServer

CALM = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
    "content-type": "text/html; charset=utf-8",
}
POLICY = re.compile(r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
UNSAID = re.compile(r"holdfast|ptsd|trauma|crisis|suicid|диагноз|птср", re.IGNORECASE)  # product.md, section 12

# Names that a page would run, load or misread, were they not text.
HOSTILE = [
    "<script>top.x=1</script>",
    "<img src=x onerror=top.x=1>",
    '"><svg onload=top.x=1>',
    "' autofocus onfocus=top.x=1 x='",
    "</title></style></main><iframe src=//evil.example>",
    "{{ 7*7 }}{% include 'x' %}{who}{0.__class__}",
    "javascript:top.x=1",
    "&lt;b&gt; &amp; <b>bold</b>",
]


def link(post: MailServer, to: str, place: str = "a") -> str:
    """The path in the newest letter to somebody."""
    letter = [one for one in post.letters if one.recipients == [to]][-1]
    found = re.search(rf"/{place}/[0-9A-Za-z]{{22}}(?![0-9A-Za-z])", letter.message.get_content())
    assert found, letter.message.get_content()
    return found[0]


class Seen(HTMLParser):
    """A page as a browser takes it: its elements, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements[-1:] != [("style", {})]:
            self._words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def seen(answer: Any) -> Seen:
    """Raises AssertionError for a page that runs, loads or keeps anything, or says what no page may say."""
    page = answer.content.decode()
    assert {name: answer.headers.get(name) for name in CALM} == CALM
    assert POLICY.fullmatch(answer.headers["content-security-policy"]), answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers
    found = Seen(page)
    known = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "strong", "ul", "li", "form", "button", "input", "a"}
    assert {tag for tag, _ in found.elements} <= known
    for _, attributes in found.elements:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "style", "action")}
    assert all(one == {"href": ""} for one in found.all("a"))
    assert found.all("html")[0]["lang"] and "width=device-width" in page and "noindex" in page
    assert len(found.all("h1")) == 1
    assert not UNSAID.search(page)
    return found
