"""JSON (an array, one object, or an object that holds a list of objects) and JSON lines.

In: a stream. Out: an ``Article`` or a ``Reject`` for each item, read one by one. Item N is line N of JSON
lines (empty lines count, but are no items) and element N of an array, both from 1.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, TextIO

from pipeline.readers.fields import record_article
from pipeline.readers.source import Source, UnusableItem, decode, encoding_of, read_lines, read_whole
from pipeline.records import Article, Reject
from pipeline.settings import Settings

PEEK_BYTES = 65_536
SEPARATORS = re.compile(r"[\s,]*")
ESCAPE_LENGTH = 12  # "\\ud83d\\ude97": a fault nearer to the end may be an escape that is cut


def read_json_lines(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """An item a line; a broken line rejects that line only. A file that holds an array is read as one."""
    stream = _narrow(source.stream)
    if _first_character(stream) == b"[":
        yield from _array_items(stream, source, settings)
        return
    yield from _line_items(read_lines(stream, settings.reading.max_bytes), source, settings)


def read_json(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """The elements of an array, the one object, or the elements of its list of objects.

    JSON lines under the suffix .json are recognised by a complete object on the first line and more after it.
    An array is streamed; an object must fit in ``reading.max_bytes``.
    """
    stream = _narrow(source.stream)
    if _first_character(stream) == b"[":
        yield from _array_items(stream, source, settings)
        return
    lines = read_lines(stream, settings.reading.max_bytes)
    first = next((line for line in lines if isinstance(line, UnusableItem) or line.strip()), b"")
    if isinstance(first, bytes) and isinstance(_parsed(first), dict):
        second = next((line for line in lines if isinstance(line, UnusableItem) or line.strip()), None)
        if second is not None:
            yield from _line_items(chain([first, second], lines), source, settings)
            return
    if isinstance(first, UnusableItem):
        raise first
    rest = read_whole(stream, settings.reading.max_bytes)
    yield from _object_items(json.loads(decode(first + rest), strict=False), source, settings)


def _object_items(data: Any, source: Source, settings: Settings) -> Iterator[Article | Reject]:
    article = record_article(data, source.uri, 1, settings)
    lists = [value for value in data.values() if isinstance(value, list)] if isinstance(data, dict) else []
    records = max((value for value in lists if any(isinstance(entry, dict) for entry in value)), key=len, default=None)
    if isinstance(article, Article) or records is None:
        yield article
        return
    for number, record in enumerate(records, 1):
        yield record_article(record, source.uri, number, settings)


def _array_items(stream: io.BufferedReader, source: Source, settings: Settings) -> Iterator[Article | Reject]:
    text = io.TextIOWrapper(stream, encoding=encoding_of(stream.peek(PEEK_BYTES)), errors="replace")
    number = 0
    try:
        for number, record in enumerate(_elements(text, settings.reading.max_bytes), 1):
            yield record_article(record, source.uri, number, settings)
    except UnusableItem as error:
        # Where an array breaks off, nothing tells the beginning of the next element.
        detail = f"{source.uri}, item {number + 1}: {error}; the rest of the array was not read"
        yield Reject(f"{source.uri}#{number + 1}", str(number + 1), error.reason, detail)


def _elements(text: TextIO, max_chars: int) -> Iterator[Any]:
    """The elements of the array in ``text``, with no more than one of them in memory.

    ijson would do this too, but its fast backend ends the process on deeply nested input.
    """
    decode_at = json.JSONDecoder(strict=False).raw_decode
    buffer, position = text.read(PEEK_BYTES), 0
    position = buffer.index("[") + 1
    at_end = False
    while True:
        position = SEPARATORS.match(buffer, position).end()  # type: ignore[union-attr]
        if buffer.startswith("]", position):
            return
        incomplete: ValueError | None = None
        try:
            value, end = decode_at(buffer, position)
            # A number that ends where the buffer does may go on.
            if end < len(buffer) or at_end:
                yield value
                position = end
                continue
        except json.JSONDecodeError as error:
            if at_end or not (error.msg.startswith("Unterminated string") or error.pos >= len(buffer) - ESCAPE_LENGTH):
                raise UnusableItem("unreadable", str(error)) from error
            incomplete = error
        except RecursionError as error:
            raise UnusableItem("unreadable", "nested too deeply") from error
        left = len(buffer) - position
        if left > max_chars:
            raise UnusableItem("oversized", f"more than {max_chars:,} characters") from incomplete
        more = text.read(max(PEEK_BYTES, left))
        buffer, position, at_end = buffer[position:] + more, 0, not more


def _line_items(
    lines: Iterator[bytes | UnusableItem], source: Source, settings: Settings
) -> Iterator[Article | Reject]:
    for number, line in enumerate(lines, 1):
        if isinstance(line, UnusableItem):
            yield Reject(f"{source.uri}#{number}", str(number), line.reason, f"{source.uri}, line {number}: {line}")
            continue
        if not line.strip():
            continue
        try:
            record = json.loads(decode(line), strict=False)
        except (ValueError, RecursionError, UnusableItem) as error:
            detail = f"{source.uri}, line {number}: {error}"
            yield Reject(f"{source.uri}#{number}", str(number), "unreadable", detail)
            continue
        yield record_article(record, source.uri, number, settings)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(decode(line), strict=False)
    except (ValueError, RecursionError, UnusableItem):
        return None


def _narrow(stream: io.BufferedReader) -> io.BufferedReader:
    """``stream`` without a byte order mark, and in UTF-8 where it was in UTF-16 or UTF-32."""
    encoding = encoding_of(stream.peek(64)[:64])
    if encoding == "utf-8-sig":
        stream.read(3)
    elif encoding.startswith(("utf-16", "utf-32")):
        return io.BufferedReader(_Recoded(io.TextIOWrapper(stream, encoding=encoding, errors="replace")), PEEK_BYTES)
    return stream


class _Recoded(io.RawIOBase):
    """A text stream as UTF-8 bytes."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = self._text.read(8192).encode("utf-8")
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _first_character(stream: io.BufferedReader) -> bytes:
    return stream.peek(PEEK_BYTES).lstrip()[:1]
