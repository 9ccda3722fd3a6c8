"""A feed, read by feedparser, without what makes a small feed cost minutes: entities of its own, an endless prolog.

In: the bytes of a feed, and what the server said of them. Out: feedparser's result, also for broken XML. Both who
fetches feeds and who reads them from a file parse here, so the position of an entry is the same for both.
"""

from __future__ import annotations

import io
import re

import feedparser
from feedparser.encodings import convert_to_utf8

#: Where feedparser takes the prolog to end. Its patterns for the prolog take a time that grows with the square of it.
ELEMENT = re.compile(rb"<\w")
#: Declaration, stylesheet and document type take a kilobyte; 16 kB of empty lines cost feedparser 5 s.
MAX_PROLOG = 4_000
#: An XML declaration is some 40 bytes. feedparser looks for its encoding in the whole first line, in cubic time.
MAX_DECLARATION = 1_000
#: In which a declaration can be spelled before its encoding is known (XML 1.0, appendix F), widest first.
CODECS = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be", "cp037", "ascii")
#: Lengths of byte order marks, and of none.
BYTE_ORDER_MARKS = (0, 2, 3, 4)


class RefusedFeed(ValueError):
    """A feed that is made to cost time or memory."""


def parse_feed_xml(content: bytes, headers: dict[str, str]) -> feedparser.FeedParserDict:
    """What feedparser finds in ``content``; ``headers``: content-type and content-location, lower case, or none.

    Raises ``RefusedFeed``, and whatever else feedparser raises.
    """
    # What is checked is the very text that is parsed, in whichever of Python's codecs the feed says it is.
    decoded: bytes = convert_to_utf8(headers, _with_short_declaration(content), {})
    capitals = decoded.replace(b"\0", b"").upper()  # UTF-16 that says it were UTF-8
    doctype = capitals.find(b"<!DOCTYPE")
    # Anywhere after it: a document type can be as long as it likes, and comments can hide where it ends.
    if doctype >= 0 and capitals.find(b"<!ENTITY", doctype) >= 0:
        raise RefusedFeed("it declares XML entities, which feeds have no use for")
    element = ELEMENT.search(decoded)
    if element and element.start() > MAX_PROLOG:
        raise RefusedFeed(f"no element begins in its first {MAX_PROLOG:,} bytes")
    declared = {**headers, "content-type": "application/xml; charset=utf-8"}
    # As a stream: feedparser takes a string for an address or a file name and would open it.
    return feedparser.parse(io.BytesIO(decoded), response_headers=declared)


def _with_short_declaration(content: bytes) -> bytes:
    """``content`` with its XML declaration on a line of its own."""
    start = content[:MAX_DECLARATION]
    for codec in CODECS:
        if "<?".encode(codec) in (start[at : at + len("<?".encode(codec))] for at in BYTE_ORDER_MARKS):
            before, mark, _ = start.partition("?>".encode(codec))
            if not mark:
                raise RefusedFeed("its XML declaration does not end")
            end = len(before) + len(mark)
            return content[:end] + "\n".encode(codec) + content[end:]
    return content
