"""Which function reads which file: by suffix, else by the first bytes.

In: a ``Source``. Out: its articles and rejects. This is the one place where an error of a parser becomes a
reject; nothing a file holds raises out of here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from pipeline.readers.archives import open_bzip2, open_gzip, open_tar, open_xz, open_zip
from pipeline.readers.delimited import read_csv, read_tsv
from pipeline.readers.email_message import read_email
from pipeline.readers.feed import read_feed
from pipeline.readers.html_page import read_html
from pipeline.readers.json_records import read_json, read_json_lines
from pipeline.readers.parquet_rows import read_parquet
from pipeline.readers.plain_text import read_text
from pipeline.readers.source import Source, UnusableItem, decode
from pipeline.readers.warc import read_warc
from pipeline.records import Article, Reject, RejectReason
from pipeline.settings import Settings

Reader = Callable[[Source, Settings], Iterator[Article | Reject]]
Opener = Callable[[Source, Settings], Iterator[Source | Reject]]

READERS: dict[str, Reader] = {
    ".txt": read_text,
    ".text": read_text,
    ".md": read_text,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    ".rss": read_feed,
    ".atom": read_feed,
    ".warc": read_warc,
    ".wet": read_warc,
    ".eml": read_email,
}
OPENERS: dict[str, Opener] = {
    ".gz": open_gzip,
    ".bz2": open_bzip2,
    ".xz": open_xz,
    ".zip": open_zip,
    ".tar": open_tar,
    ".tgz": open_tar,
    ".tbz2": open_tar,
    ".txz": open_tar,
}
# An archive in an archive in an archive is how some crawls are kept; more is an accident or an attack.
MAX_DEPTH = 4
SNIFF_BYTES = 4096
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", ".gz"),
    (b"BZh", ".bz2"),
    (b"\xfd7zXZ\0", ".xz"),
    (b"PK\x03\x04", ".zip"),
    (b"PAR1", ".parquet"),
    (b"WARC/", ".warc"),
)
# What begins like this is no text, whatever the bytes after it look like.
FOREIGN = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"{\\rtf", b"\xd0\xcf\x11\xe0", b"\x7fELF", b"MZ\x90")
FEED_ROOT = re.compile(r"<(?:rss|feed|rdf:RDF)[\s>]", re.IGNORECASE)
HTML_ROOT = re.compile(r"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
MAIL_HEADER = re.compile(
    r"(?:(?:received|return-path|mime-version|from|to|subject|date|message-id|delivered-to):\s.*\n(?:[ \t].*\n)*){2}",
    re.I,
)


def read_source(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """All items of one file or archive member; never raises for what it holds."""
    try:
        suffix = format_of(source)
        if suffix is None:
            yield _reject(source, "unsupported_format", "neither the suffix nor the content is of a known format")
        elif suffix in READERS:
            yield from READERS[suffix](source, settings)
        elif source.depth >= MAX_DEPTH:
            yield _reject(source, "unsupported_format", f"archives nested deeper than {MAX_DEPTH}")
        else:
            for member in OPENERS[suffix](source, settings):
                yield from [member] if isinstance(member, Reject) else read_source(member, settings)
    except UnusableItem as error:
        yield _reject(source, error.reason, error.detail)
    except Exception as error:  # parsers of foreign bytes raise whatever they like
        yield _reject(source, "unreadable", f"{type(error).__name__}: {error}"[:500])


def format_of(source: Source) -> str | None:
    """The suffix under which ``source`` is read: its own if known, else by its first bytes; None if unknown."""
    name = source.name.lower()
    if re.search(r"\.tar\.(?:gz|bz2|xz)$", name):
        return ".tar"
    suffix = PurePosixPath(name).suffix
    if name.endswith((".warc.gz", ".wet.gz")):
        return ".warc"  # compressed record by record; warcio takes it as it is
    if suffix in READERS or suffix in OPENERS:
        return suffix
    return sniff(source.stream.peek(SNIFF_BYTES)[:SNIFF_BYTES], named=bool(suffix))


def sniff(head: bytes, named: bool = False) -> str | None:
    """The format of a file that begins with ``head``. ``named``: it has a suffix, though no known one.

    Office documents are zip files too, so a zip counts as one only where no suffix says otherwise.
    """
    for magic, suffix in MAGIC:
        if head.startswith(magic):
            return None if suffix == ".zip" and named else suffix
    if head[257:262] == b"ustar":
        return ".tar"
    if not head or head.startswith(FOREIGN):
        return None if head else ".txt"
    try:
        text = decode(head).lstrip("\ufeff \t\r\n")
    except UnusableItem:
        return None
    if text.startswith("<"):
        return ".rss" if FEED_ROOT.search(text) else ".html" if HTML_ROOT.search(text) else None
    if text.startswith(("{", "[{", "[\n", "[ ", "[\r")):
        return ".json"
    if MAIL_HEADER.match(text.replace("\r\n", "\n")):
        return ".eml"
    controls = sum(character < " " and character not in "\t\n\r\f" for character in text)
    return ".txt" if controls <= 0.01 * len(text) else None


def _reject(source: Source, reason: RejectReason, cause: str) -> Reject:
    return Reject(source.uri, None, reason, f"{source.uri}: {cause}")
