"""Plain text and Markdown: one file is one article.

In: a stream. Out: one ``Article`` with the text as it stands, and what its first and last lines say about it:
a headline, a date line ("October 6, 2025"), a dateline ("LONDON, Nov 3 (Reuters) -"), a source line at the
end ("Source link: example.com."). These lines stay in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.readers.source import Source, decode, read_whole
from pipeline.records import Article, Reject
from pipeline.settings import Settings

MONTH = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?\.?|July?\.?|Aug(?:ust|\.)?"
    r"|Sep(?:t(?:ember|\.)?|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
WEEKDAY = r"(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?\.?,?\s+)?"
TIME = r"(?:,?\s+(?:at\s+)?\d{1,2}:\d{2}(?::\d{2})?\s*(?:[ap]\.?m\.?)?(?:\s+[A-Z]{2,4}|\s*[+-]\d{2}:?\d{2})?)?"
DAY = (
    rf"(?:{MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s+{MONTH},?\s+\d{{4}}|\d{{4}}-\d\d-\d\d)"
)
DATE_LINE = re.compile(
    rf"^(?:(?:published|posted|updated|date)(?:\s+on)?:?\s+)?({WEEKDAY}{DAY}{TIME})\.?$", re.IGNORECASE
)
# "LONDON, Nov 3 (Reuters) -", "SAN FRANCISCO, Calif., March 4, 2024 /PRNewswire/ --", "(Bloomberg) --"
DATELINE = re.compile(
    rf"^(?:[A-Z][\w .,'’/-]{{1,60}}?,\s+)??(?:({MONTH}\s+\d{{1,2}}(?:,\s+\d{{4}})?),?\s*)?"
    r"(?:[A-Z][A-Z .,'’/-]{1,60}\s*)?[(/]([A-Z][\w .&-]{1,30})[)/]\s*[-–—]"
)
# Without the name of a wire only a full date makes a dateline: "BERLIN, June 3, 2025 - ".
PRESS_DATELINE = re.compile(rf"^[A-Z][\w .,'’/-]{{1,60}}?,\s+({MONTH}\s+\d{{1,2}},\s+\d{{4}})\s*[-–—]{{1,2}}\s")
SOURCE_LINE = re.compile(
    r"^(?:source(?:\s+link)?|via|originally published (?:by|at|on|in))\s*:\s*(\S.{0,198}?)\.?$", re.I
)
MAX_HEADLINE = 200
HEAD_LINES = 3  # a date line may stand before or after the headline


def read_text(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """The article of one text file."""
    text = decode(read_whole(source.stream, settings.reading.max_bytes)).lstrip("\ufeff")
    yield text_article(text, source.uri)


def text_article(text: str, uri: str) -> Article:
    """What the lines of ``text`` say about it; a part that is not clearly there is None."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    published = title = publisher = url = None
    for line in lines[:HEAD_LINES]:
        date_line = DATE_LINE.match(line[:120])
        if date_line and published is None:
            published = date_line.group(1)
        elif title is None and _is_headline(line, lines):
            title = line.lstrip("# ")
        else:
            dateline = DATELINE.match(line[:200])
            if dateline:
                published = published or dateline.group(1)
                publisher = dateline.group(2).strip()
            elif press_dateline := PRESS_DATELINE.match(line[:200]):
                published = published or press_dateline.group(1)
            break
    source_line = SOURCE_LINE.match(lines[-1][:240]) if len(lines) > 1 else None
    if source_line:
        named = source_line.group(1).strip()
        url = named if named.startswith(("http://", "https://")) else None
        publisher = publisher if url else named
    return Article(uri, text, url=url, title=title, publisher=publisher, published=published)


def _is_headline(line: str, lines: list[str]) -> bool:
    """A short line with no full stop at its end, followed by a longer one."""
    if line.startswith("# "):
        return True
    if len(line) > MAX_HEADLINE or line[-1] in '.,;:!"”' or len(line.split()) < 3 or DATELINE.match(line):
        return False
    return any(len(other) > len(line) for other in lines[1 : HEAD_LINES + 1])
