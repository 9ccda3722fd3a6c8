"""Captures of a raw store: the articles of the captured file, with what the source said about them.

In: a capture and its open file. Out: an ``Article`` or a ``Reject`` for each item that was new in it, under the address
that it came from. What the page or file says about itself goes before what the feed said about it, except for the
publisher, where the operator's word counts, and a day without a time, which the reader may have guessed.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from email.message import Message

from pipeline.captures import Capture
from pipeline.readers.formats import read_source
from pipeline.readers.source import Source
from pipeline.records import Article, Reject
from pipeline.settings import Settings

TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d|^\d{9,13}$")


def read_captured(capture: Capture, stream: io.BufferedReader, settings: Settings) -> Iterator[Article | Reject]:
    """The new items of one capture."""
    if capture.items == ():
        return
    is_page = capture.kind == "page"
    source = Source(
        capture.uri,
        capture.file,
        stream,
        url=(capture.url or capture.uri) if is_page else None,
        charset=_charset(capture) if is_page else None,
    )
    for item in read_source(source, settings):
        if capture.items is None or _position(item) in {None, *capture.items}:
            yield _with_entry(item, capture) if isinstance(item, Article) else item


def _position(item: Article | Reject) -> int | None:
    """The position in its file; None for what concerns the file as a whole."""
    position = item.source_uri.rpartition("#")[2]
    return int(position) if position.isdigit() else None


def _charset(capture: Capture) -> str | None:
    message = Message()
    message["Content-Type"] = capture.header("content-type") or ""
    return message.get_content_charset()


def _with_entry(article: Article, capture: Capture) -> Article:
    entry = capture.entry
    article = dataclasses.replace(article, publisher=capture.publisher or article.publisher, fetched_at=capture.fetched)
    if capture.kind != "page":
        return article
    published = article.published
    if entry and entry.published and not (published and TIME_OF_DAY.search(published)):
        published = entry.published
    return dataclasses.replace(
        article,
        url=article.url or capture.url or capture.uri,
        title=article.title or (entry.title if entry else None),
        author=article.author or (entry.author if entry else None),
        publisher=article.publisher or (entry.feed_title if entry else None),
        published=published,
    )
