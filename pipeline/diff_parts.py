"""The tables of one side of a comparison, read once and handed out in parts that fit in memory.

In: a folder of tables, as ``roadwire run`` writes them. Out: ``Parts``: part N of one side holds what belongs to part N
of the other. Rows of an article go by its id; rows of no article (``deal_events``) by the pair that they form, for a
row may be found again under another id. A table of more than one part is spread over temporary files, so that it is
read once however many parts there are; they are gone with the context. It compares nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipeline.row_matching import Matched, Rows

#: Column of the number that two rows share where they are a pair.
PAIR = "pair"
_PART = "part"
#: Rows that are gathered before they go to the files of their parts.
_GATHERED_ROWS = 250_000


class DiffError(ValueError):
    """Folders that cannot be compared; the message says which and why."""


class Folder:
    """The tables of one side."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not self.files("articles"):
            raise DiffError(f"{path}: holds no tables (no articles/*.parquet)")

    def files(self, table: str) -> list[Path]:
        return sorted((self.path / table).glob("*.parquet"))

    def dataset(self, table: str) -> ds.Dataset:
        files = self.files(table)
        try:
            schemas = [pq.read_schema(file).remove_metadata() for file in files]
            schema = pa.unify_schemas(schemas, promote_options="permissive")
            return ds.dataset([str(file) for file in files], schema=schema, format="parquet")
        except (pa.ArrowException, OSError) as error:
            raise DiffError(f"{self.path / table}: cannot be read ({error})") from error

    def column(self, table: str, name: str) -> pa.Array:
        return self.dataset(table).to_table(columns=[name])[name].combine_chunks()

    def versions(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, set[str]] = {}
        for file in self.files("articles"):
            for key, value in (pq.read_schema(file).metadata or {}).items():
                name = key.decode("utf-8", "replace").removeprefix("roadwire.")
                if key.startswith(b"roadwire.") and name != "batch_id":
                    found.setdefault(name, set()).add(value.decode("utf-8", "replace"))
        return {name: tuple(sorted(values)) for name, values in sorted(found.items())}


@dataclass(slots=True)
class Parts:
    """One side of a table. ``left_out``: rows of articles that are not wanted."""

    schema: pa.Schema
    left_out: int = 0
    whole: pa.Table | None = None
    folder: Path | None = None

    def read(self, part: int) -> pa.Table:
        """The rows of one part in the order of the table."""
        if self.whole is not None:
            return self.whole
        file = _file_of(self.folder, part) if self.folder else None
        if not file or not file.exists():
            return self.schema.empty_table()
        tables = []
        with pa.OSFile(str(file), "rb") as source:
            while source.tell() < source.size():  # one Arrow stream after another
                tables.append(pa.ipc.open_stream(source).read_all())
        return pa.concat_tables(tables).combine_chunks()


@contextmanager
def parts_of(
    source: ds.Dataset, columns: Sequence[str], wanted: pa.Array | None, parts: int, pairs: Rows | None
) -> Iterator[Parts]:
    """The columns of a table in ``parts`` parts, while the context lasts.

    ``wanted``: articles whose rows are kept, None for all; ``pairs``: the number of the pair of each row, which makes
    the column ``PAIR`` and the part; without it the article does, or the first column.
    """
    key = "article_id" if "article_id" in columns else columns[0]
    fields = [source.schema.field(column) for column in columns]
    made = Parts(pa.schema([*fields, pa.field(PAIR, pa.int64())] if pairs is not None else fields))

    def batches() -> Iterator[pa.RecordBatch]:
        at = 0
        for batch in source.to_batches(columns=list(columns)):
            rows = pairs[at : at + batch.num_rows] if pairs is not None else None
            at += batch.num_rows
            if rows is not None:
                batch = batch.append_column(PAIR, pa.array(rows))
            if wanted is not None:
                kept = batch.filter(pc.is_in(batch[key], value_set=wanted))
                made.left_out += batch.num_rows - kept.num_rows
                batch = kept
            if parts > 1:
                numbers = batch[PAIR].to_numpy() if rows is not None else _hashed(batch[key])
                batch = batch.append_column(_PART, pa.array((numbers % parts).astype(np.int32)))
            yield batch

    if parts == 1:
        made.whole = pa.Table.from_batches(batches(), made.schema).combine_chunks()
        yield made
        return
    with tempfile.TemporaryDirectory(prefix="roadwire-diff-") as folder:
        made.folder = Path(folder)
        schema = made.schema.append(pa.field(_PART, pa.int32()))
        for table in _gathered(batches(), schema):
            _spread(table, made.folder)
        yield made


def numbered(
    sets: Sequence[ds.Dataset], match: Callable[[pa.Table, pa.Table], Matched], keys: Sequence[str]
) -> tuple[Rows, Rows]:
    """A number for each row of both sides, the same for the two rows of a pair and for no others.

    Of the columns ``keys`` only digests of eight bytes are in memory, so that a whole table is.
    """
    old, new = (_digests(each, keys) for each in sets)
    matched = match(old, new)
    numbers = np.empty(old.num_rows, np.int64), np.empty(new.num_rows, np.int64)
    pairs, lost = len(matched.old), len(matched.lost)
    numbers[0][matched.old] = numbers[1][matched.new] = np.arange(pairs)
    numbers[0][matched.lost] = pairs + np.arange(lost)
    numbers[1][matched.added] = pairs + lost + np.arange(len(matched.added))
    return numbers


def _digests(source: ds.Dataset, keys: Sequence[str]) -> pa.Table:
    schema = pa.schema([(key, pa.int64()) for key in keys])
    batches = (
        pa.record_batch([pa.array(_hashed(batch[key]).view(np.int64)) for key in keys], schema=schema)
        for batch in source.to_batches(columns=list(keys))
    )
    return pa.Table.from_batches(batches, schema)


def _hashed(column: pa.Array) -> npt.NDArray[np.uint64]:
    """A digest of each string, the same in every process; null has that of the empty string."""
    return pd.util.hash_array(column.to_pandas().fillna("").to_numpy(object), categorize=True)


def _gathered(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The batches, many in one table: each table becomes a file in each part."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _GATHERED_ROWS:
            yield pa.Table.from_batches(waiting, schema)
            waiting, rows = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


def _spread(table: pa.Table, folder: Path) -> None:
    """Append the rows of each part, in the order of the table, to the file of that part."""
    ordered = table.take(pc.sort_indices(table, [(_PART, "ascending")]))
    parts, starts = np.unique(ordered[_PART].to_numpy(), return_index=True)
    rows = ordered.drop_columns([_PART])
    ends = [*starts[1:].tolist(), rows.num_rows]
    for part, start, end in zip(parts.tolist(), starts.tolist(), ends, strict=True):
        with pa.OSFile(str(_file_of(folder, part)), "ab") as file, pa.ipc.new_stream(file, rows.schema) as writer:
            writer.write_table(rows.slice(start, end - start))


def _file_of(folder: Path, part: int) -> Path:
    return folder / f"{part}.arrows"
