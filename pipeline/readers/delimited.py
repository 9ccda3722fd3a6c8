"""CSV and TSV with a header line.

In: a stream. Out: an ``Article`` or a ``Reject`` for each row, read one by one. Item N is the Nth row after
the header, from 1 (a row may span several lines).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from pipeline.readers.fields import record_article
from pipeline.readers.source import DETECTION_BYTES, Source, UnusableItem, encoding_of
from pipeline.records import Article, Reject
from pipeline.settings import Settings

DELIMITERS = ",;\t|"


def read_csv(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """Rows of a CSV file; the delimiter is the one of comma, semicolon, tab and bar that the header has most of."""
    yield from _rows(source, None, settings)


def read_tsv(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """Rows of a tab-separated file."""
    yield from _rows(source, "\t", settings)


def _rows(source: Source, delimiter: str | None, settings: Settings) -> Iterator[Article | Reject]:
    head = source.stream.peek(DETECTION_BYTES)
    # Decoded as "replace": a wrong byte far into a long file costs one letter, not the rows after it.
    text = io.TextIOWrapper(source.stream, encoding=encoding_of(head), errors="replace", newline="")
    lines = _lines(text, settings.reading.max_bytes)
    header_line = next((line for line in lines if line.strip()), "")
    if not header_line:
        yield Reject(source.uri, None, "empty", f"{source.uri}: no header line")
        return
    # The csv module's own bound, 131,072 characters, is for the whole process and shorter than long articles.
    csv.field_size_limit(max(csv.field_size_limit(), settings.reading.max_bytes))
    delimiter = delimiter or max(DELIMITERS, key=header_line.count)
    header = next(csv.reader([header_line], delimiter=delimiter))
    rows = csv.reader(lines, delimiter=delimiter)
    number = 0
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield _broken(source, number, str(error))
            continue
        if not row:
            number -= 1  # an empty line is no row
        elif len(row) > len(header):
            yield _broken(source, number, f"{len(row)} values under {len(header)} names (a quote missing?)")
        else:
            yield record_article(dict(zip(header, row, strict=False)), source.uri, number, settings)


def _lines(text: io.TextIOWrapper, max_bytes: int) -> Iterator[str]:
    while line := text.readline(max_bytes + 1):
        if len(line) > max_bytes:
            raise UnusableItem("oversized", f"a line of more than {max_bytes:,} characters")
        yield line


def _broken(source: Source, number: int, cause: str) -> Reject:
    detail = f"{source.uri}, row {number}: {cause}"
    return Reject(f"{source.uri}#{number}", str(number), "unreadable", detail)
