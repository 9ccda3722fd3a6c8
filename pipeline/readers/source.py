"""What a reader is given: a name, a URI, a stream of bytes; and how bytes become text.

In: an open binary stream. Out: bounded bytes, decoded text. Nothing is cleaned here and no format is known here.

Every function takes its bound from the caller (``settings.reading.max_bytes``), so a small compressed file
that unfolds without end stops at the bound and is rejected as oversized.
"""

from __future__ import annotations

import codecs
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

import charset_normalizer

from pipeline.records import RejectReason

# A UTF-32 mark begins with the bytes of a UTF-16 one, so the longer ones are tried first.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# English text has few letters outside ASCII: typographic quotes, accents in names. Above this share of
# bytes the text is in another script or language and its encoding is detected.
MAX_HIGH_BYTES = 0.1
DETECTION_BYTES = 65_536
COPY_BYTES = 1_000_000
MEMORY_BYTES = 8_000_000  # a spooled archive larger than this goes to a temporary file


@dataclass(frozen=True, slots=True)
class Source:
    """A file or a member of an archive, open for reading.

    ``uri`` is what rows carry; ``name`` ends in the suffix that decides the format; ``depth`` counts the
    archives around it (0: a file of its own, whose stream may be used as it is). ``url`` and ``charset`` are what the
    web server said of a page, None for any other file.
    """

    uri: str
    name: str
    stream: io.BufferedReader
    depth: int = 0
    url: str | None = None
    charset: str | None = None


def buffered(stream: Any) -> io.BufferedReader:
    """``stream``, of whatever library, with ``peek`` and ``readline``."""
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)


class UnusableItem(Exception):
    """An item that cannot become an article; the reader turns it into a reject."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_whole(stream: IO[bytes], max_bytes: int) -> bytes:
    """All bytes of ``stream``; raises ``UnusableItem`` (oversized) beyond ``max_bytes``."""
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise UnusableItem("oversized", f"more than {max_bytes:,} bytes")
    return data


def read_lines(stream: IO[bytes], max_bytes: int) -> Iterator[bytes | UnusableItem]:
    """The lines of ``stream``; a line beyond ``max_bytes`` is skipped to its end and yielded as ``UnusableItem``."""
    while line := stream.readline(max_bytes + 1):
        if len(line) <= max_bytes:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(1_000_000)
        yield UnusableItem("oversized", f"line of more than {max_bytes:,} bytes")


def seekable(source: Source, max_bytes: int) -> BinaryIO:
    """A stream that can be read from its end, as zip and parquet need.

    A file of its own is used as it is and may have any size; a member of an archive is copied first and
    bounded by ``max_bytes`` (raises ``UnusableItem``). The caller closes what it gets.
    """
    if source.depth == 0 and source.stream.seekable():
        return source.stream
    spool = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 - handed to the caller
    while chunk := source.stream.read(COPY_BYTES):
        if spool.tell() + len(chunk) > max_bytes:
            spool.close()
            raise UnusableItem("oversized", f"more than {max_bytes:,} bytes")
        spool.write(chunk)
    spool.seek(0)
    return cast(BinaryIO, spool)


def decode(data: bytes, declared: str | None = None) -> str:
    """Text of ``data``: by its byte order mark, as UTF-8, as ``declared``, or by detection, in this order.

    UTF-8 goes before the declaration because pages often declare what they are not, and other encodings
    are hardly ever valid UTF-8 by chance. Raises ``UnusableItem`` (unreadable) for bytes that are no text.
    """
    try:
        return data.decode(encoding_of(data, declared))
    except (UnicodeDecodeError, LookupError):
        return data.decode("utf-8", errors="replace")


def encoding_of(data: bytes, declared: str | None = None) -> str:
    """The name of the codec for ``data`` (see ``decode``). ``data`` may be the beginning of a longer text."""
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    head = data[:DETECTION_BYTES]
    if b"\0" in head:
        return _wide_encoding(head)
    if _is_utf8(data):
        return "utf-8"
    if declared and _is_known(declared):
        return declared
    high = sum(byte > 0x7F for byte in head)
    if high <= MAX_HIGH_BYTES * len(head):
        return "cp1252" if _decodes(data, "cp1252") else "utf-8"
    best = charset_normalizer.from_bytes(head).best()
    return best.encoding if best and _decodes(data, best.encoding) else "utf-8"


def _wide_encoding(head: bytes) -> str:
    """UTF-16 without a mark: in English every second byte is zero."""
    half = len(head) // 2 or 1
    if head[1::2].count(0) > 0.4 * half and head[::2].count(0) < 0.05 * half:
        return "utf-16-le"
    if head[::2].count(0) > 0.4 * half and head[1::2].count(0) < 0.05 * half:
        return "utf-16-be"
    if head.count(0) <= 0.001 * len(head):
        return "utf-8"  # a stray zero byte in a text; cleaning drops it
    raise UnusableItem("unreadable", "binary data, not text")


def _is_utf8(data: bytes) -> bool:
    """Valid UTF-8, also where the end is cut inside a letter or a few bytes of a long text are broken."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if broken == 0:
        return True
    whole = sum(character > "\x7f" for character in text) - broken
    return whole >= 4 * broken


def _is_known(encoding: str) -> bool:
    try:
        codecs.lookup(encoding)
    except LookupError:
        return False
    return True


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True
