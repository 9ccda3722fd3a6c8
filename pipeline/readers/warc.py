"""WARC files, also those compressed record by record (.warc.gz), and the text extracts of Common Crawl (WET).

In: a stream. Out: an ``Article`` or a ``Reject`` for each page, read one by one. A page is a response or
resource record with HTML, or a conversion record with plain text; requests, metadata, images and the like are
no items. Item N is the Nth record of the file, from 1, counting all records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from warcio.archiveiterator import ArchiveIterator

from pipeline.readers.html_page import page_article
from pipeline.readers.source import Source, UnusableItem, decode, read_whole
from pipeline.records import Article, Reject
from pipeline.settings import Settings

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})


def read_warc(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """The pages of one WARC file; a page that cannot be used rejects itself only."""
    for number, record in enumerate(ArchiveIterator(source.stream), 1):
        media_type, charset = _content_type(record)
        is_page = record.rec_type in ("response", "resource") and media_type in HTML_TYPES
        is_text = record.rec_type == "conversion" and media_type == "text/plain"
        if not (is_page or is_text):
            continue
        uri = f"{source.uri}#{number}"
        try:
            yield _record_article(record, uri, charset, is_text, settings.reading.max_bytes)
        except UnusableItem as error:
            yield Reject(uri, str(number), error.reason, f"{source.uri}, record {number}: {error.detail}")


def _record_article(record: Any, uri: str, charset: str | None, is_text: bool, max_bytes: int) -> Article:
    url = record.rec_headers.get_header("WARC-Target-URI")
    status = record.http_headers.get_statuscode() if record.http_headers else "200"
    if status != "200":
        raise UnusableItem("missing_text", f"HTTP status {status}")
    data = read_whole(record.content_stream(), max_bytes)
    if not is_text:
        return page_article(data, uri, url, charset)
    return Article(uri, decode(data, charset), url=url)


def _content_type(record: Any) -> tuple[str, str | None]:
    """Media type and charset; those of the HTTP response where the record holds one."""
    headers = record.http_headers or record.rec_headers
    value = (headers.get_header("Content-Type") or "") if headers else ""
    media_type, *parameters = (part.strip() for part in value.split(";"))
    charset = next((p.split("=", 1)[1].strip("\"' ") for p in parameters if p.lower().startswith("charset=")), None)
    return media_type.lower(), charset
