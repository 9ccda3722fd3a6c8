"""Parquet files.

In: a stream (copied first where it cannot be read from its end). Out: an ``Article`` or a ``Reject`` for each
row; only the mapped columns are read, a batch at a time. Item N is row N, from 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.parquet as pq

from pipeline.readers.fields import record_article, wanted_columns
from pipeline.readers.source import Source, UnusableItem, seekable
from pipeline.records import Article, Reject
from pipeline.settings import Settings

BATCH_ROWS = 256


def read_parquet(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """The rows of one parquet file. Raises ``UnusableItem`` (missing_text) where no column is accepted as text."""
    file = pq.ParquetFile(seekable(source, settings.reading.max_bytes))
    columns = file.schema_arrow.names
    wanted = wanted_columns(columns, settings)
    if not wanted:
        accepted = ", ".join(settings.reading.fields.get("text", ()))
        raise UnusableItem("missing_text", f"no column named {accepted}; the file has: {', '.join(columns)}")
    number = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
        for record in batch.to_pylist():
            number += 1
            yield record_article(record, source.uri, number, settings)
