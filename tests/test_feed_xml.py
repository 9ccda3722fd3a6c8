"""Feeds that are made to cost time are refused at once; those with a document type as publishers write it are read."""

from __future__ import annotations

import time

import pytest
from web_factories import laughs, rss

from pipeline.feed_xml import RefusedFeed, parse_feed_xml

NETSCAPE = '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://example.com/rss-0.91.dtd">'
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
ENCODINGS = "encoding='' " * 5_000


@pytest.mark.parametrize(
    "content",
    [
        rss("/a"),
        rss("/a").replace(DECLARATION, DECLARATION + NETSCAPE),
        rss("/a").replace(DECLARATION, DECLARATION + "<!-- Example Wire -->" * 50),
        rss("/a").replace("Number 1", "<![CDATA[What &lt;!DOCTYPE html> and <!ENTITY mean]]>"),
        rss("/a").replace(DECLARATION, DECLARATION + "\n" * 3_000),
        rss("/a").replace("Number 1", "<!DOCTYPE " * 20_000),
        rss("/a").replace("Number 1", ENCODINGS),
    ],
    ids=["plain", "public id", "comments", "cdata", "empty lines", "doctypes", "encodings"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_feeds_that_are_read(content: str, encoding: str) -> None:
    declared = content.replace('"utf-8"', f'"{encoding.removesuffix("-sig")}"')
    begun = time.perf_counter()
    feed = parse_feed_xml(declared.encode(encoding), {})
    assert [entry.get("link") for entry in feed.entries] == ["/a"]
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    "content",
    [
        laughs().encode(),
        laughs().encode("utf-8-sig"),
        laughs().encode("utf-16"),
        laughs(encoding="utf-16").encode("utf-16-be"),
        laughs(encoding="utf-7").encode("utf-7").replace(b"!", b"+ACE-"),
        laughs(encoding="cp037").encode("cp037"),
        laughs(encoding="unicode_escape").replace("<!", "\\x3c!").encode(),
        laughs(padding=" " * 5_000).encode(),
        laughs(padding="\n").encode(),
        laughs("<!-- <rss> -->" * 500).encode(),
        laughs("<?a <rss ?>").encode(),
        b"<!DOCTYPE [" * 50_000 + b"<rss>",
        b"\n<!DOCTYPE" * 50_000 + b"<rss>",
        b"\n" * 50_000 + b"<rss>",
        f"<?xml {ENCODINGS}".encode(),
        f"<?xml {ENCODINGS}".encode("utf-16"),
        f"<?xml {ENCODINGS}?><rss>".encode("utf-8-sig"),
    ],
)
def test_feeds_that_are_refused_at_once(content: bytes) -> None:
    begun = time.perf_counter()
    with pytest.raises(RefusedFeed):
        parse_feed_xml(content, {})
    assert time.perf_counter() - begun < 2


def test_the_charset_of_the_response_hides_nothing() -> None:
    content = laughs(encoding="utf-7").replace("<!", "+ADwAIQ-").encode()
    with pytest.raises(RefusedFeed):
        parse_feed_xml(content, {"content-type": "application/xml; charset=utf-7"})
