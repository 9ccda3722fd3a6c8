"""Records (of JSON, CSV, parquet) become articles by the names of their fields.

In: a mapping from names to values, and ``settings.reading.fields``. Out: one ``Article`` or ``Reject``.
A name is tried as it stands, in any letter case; the first accepted name that has a value wins. Bodies that
are HTML are reduced to their text. Values are not parsed here: a time stays the string the source gave.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from pipeline.readers.html_page import without_markup
from pipeline.readers.plain_text import text_article
from pipeline.records import Article, Reject
from pipeline.settings import Settings

NO_TEXT_DETAIL = "no value under any of the accepted names ({accepted}, nor a title); the item has: {present}"
MAX_NAMES_SHOWN = 12


def record_article(record: Any, uri: str, item: int, settings: Settings) -> Article | Reject:
    """The article of one record; ``item`` is its position in the file, which ``source_uri`` ends in."""
    fields = settings.reading.fields
    source_uri, position = f"{uri}#{item}", str(item)
    if not isinstance(record, Mapping):
        detail = f"{uri}, item {item}: expected a record with named fields, found {type(record).__name__}"
        return Reject(source_uri, position, "unreadable", detail)
    named = {str(key).strip().casefold(): value for key, value in record.items() if key is not None}
    values = {field: _first(named, names) for field, names in fields.items()}
    title = values.get("title")
    text = values.get("text") or title  # a list of headlines is news too
    if text is None:
        present = ", ".join(list(named)[:MAX_NAMES_SHOWN]) or "nothing"
        detail = NO_TEXT_DETAIL.format(accepted=", ".join(fields.get("text", ())), present=present)
        return Reject(source_uri, position, "missing_text", f"{uri}, item {item}: {detail}")
    text = without_markup(text)
    return Article(
        source_uri=source_uri,
        text=text,
        url=values.get("url"),
        title=without_markup(title) if title else None,
        publisher=values.get("publisher"),
        author=values.get("author"),
        published=values.get("published") or text_article(text, source_uri).published,
    )


def wanted_columns(columns: Iterable[str], settings: Settings) -> list[str]:
    """Those of ``columns`` that some field accepts, so that a columnar file is read no further than needed."""
    accepted = {name.casefold() for names in settings.reading.fields.values() for name in names}
    return [column for column in columns if column.strip().casefold() in accepted]


def _first(named: Mapping[str, Any], names: Iterable[str]) -> str | None:
    for name in names:
        value = _as_text(named.get(name.casefold()))
        if value:
            return value
    return None


def _as_text(value: Any) -> str | None:
    """A value as the string an article carries; None for what has no text."""
    if value is None or isinstance(value, bool) or value != value:  # NaN is how pandas writes a missing string
        return None
    if isinstance(value, str):
        return value.strip("\0 \t\r\n") or None
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else str(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):  # {"name": "…"}, as authors and publishers often are
        return next((found for key in ("name", "title", "value") if (found := _as_text(value.get(key)))), None)
    if isinstance(value, list | tuple):
        parts = [part for part in (_as_text(entry) for entry in value) if part]
        joint = "\n" if any(len(part) > 80 for part in parts) else ", "  # paragraphs, or names of authors
        return joint.join(parts) or None
    return None
