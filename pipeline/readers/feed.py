"""RSS and Atom files, as a crawler stored them.

In: a stream. Out: an ``Article`` or a ``Reject`` for each entry; the full content where the feed has it, else
the summary, both reduced from HTML to text. Item N is entry N in the order of the file, from 1. Links are not
followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.feed_xml import RefusedFeed, parse_feed_xml
from pipeline.readers.html_page import without_markup
from pipeline.readers.source import Source, UnusableItem, read_whole
from pipeline.records import Article, Reject
from pipeline.settings import Settings


def read_feed(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """The entries of one feed. Raises ``UnusableItem`` where the file is no feed, or an empty one."""
    content = read_whole(source.stream, settings.reading.max_bytes)
    try:
        feed = parse_feed_xml(content, {})
    except (RefusedFeed, UnicodeError) as error:
        raise UnusableItem("unreadable", str(error)) from error
    if not feed.entries:
        broken = feed.get("bozo_exception")
        raise UnusableItem("unreadable" if broken else "empty", str(broken or "a feed without entries"))
    for number, entry in enumerate(feed.entries, 1):
        yield _entry_article(entry, feed.feed, f"{source.uri}#{number}", number)


def _entry_article(entry: Any, feed: Any, uri: str, number: int) -> Article | Reject:
    bodies = [content.get("value") or "" for content in entry.get("content", [])] + [entry.get("summary") or ""]
    text = max((without_markup(body).strip() for body in bodies), key=len)
    title = without_markup(entry.get("title") or "").strip() or None
    if not text and not title:
        return Reject(uri, str(number), "missing_text", f"{uri}: an entry without title, summary and content")
    source_feed = entry.get("source") or {}
    return Article(
        source_uri=uri,
        text=text or title or "",
        url=entry.get("link") or None,
        title=title,
        publisher=source_feed.get("title") or feed.get("title") or None,
        author=entry.get("author") or None,
        published=entry.get("published") or entry.get("updated") or None,
    )
