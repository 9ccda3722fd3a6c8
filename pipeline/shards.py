"""Documents -> shards -> tables: the units of work that processes share, and what a run that died left finished.

In: the distinct documents of a batch. Out: one file of documents for each shard, and next to it, when a worker is
done with it, a folder of its tables. The name of both holds a key over the documents and everything else that their
rows depend on (settings, versions of code, models and gazetteers): a later run uses finished work where nothing
changed and never where something did. It will not extract and not publish.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import feather

from pipeline import tables
from pipeline.publish import explained
from pipeline.records import Document
from pipeline.settings import Settings
from pipeline.versions import Versions

#: Documents at which extraction failed, and what went wrong.
FAILED = pa.schema([pa.field("article_id", pa.string()), pa.field("detail", pa.string())])


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker has to know beside the documents: all that their rows depend on."""

    batch_id: str
    settings: Settings
    versions: Versions


@dataclass(frozen=True, slots=True)
class Shard:
    """One unit of work; ``path`` is the file of its documents."""

    path: Path
    n_documents: int

    @property
    def key(self) -> str:
        return self.path.stem

    @property
    def done(self) -> Path:
        """The folder of its tables; it is there in full or not at all."""
        return self.path.with_suffix(".done")


def stage(documents: Iterable[Document], folder: Path, order: Order) -> list[Shard]:
    """Write the documents into ``folder``, shard by shard, and remove what a run over other inputs left there."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    context = repr(order).encode()
    shards = []
    for index, group in enumerate(_batched(documents, order.settings.running.shard_size)):
        key = hashlib.sha256(context + repr(group).encode("utf-8", "backslashreplace")).hexdigest()[:24]
        shard = Shard(folder / f"{index:05d}-{key}.arrow", len(group))
        if not shard.path.exists():
            _write(tables.document_table(group), shard.path)
        shards.append(shard)
    current = {path for shard in shards for path in (shard.path, shard.done)}
    for path in set(folder.iterdir()) - current:
        _remove(path)
    return shards


def documents_of(shard: Path) -> list[Document]:
    """The documents of the shard whose file is ``shard``."""
    return list(tables.documents_of(feather.read_table(shard)))


def save(shard: Path, parts: Mapping[str, pa.Table], failed: Mapping[str, str]) -> None:
    """Leave the tables of a shard and its failed documents (id -> what went wrong) for ``load``, all at once."""
    partial = shard.with_suffix(f".{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    with explained(partial):
        partial.mkdir()
    for name, table in parts.items():
        _write(table, partial / f"{name}.arrow")
    rows = [{"article_id": article_id, "detail": detail} for article_id, detail in failed.items()]
    _write(pa.Table.from_pylist(rows, schema=FAILED), partial / "failed.arrow")
    done = shard.with_suffix(".done")
    shutil.rmtree(done, ignore_errors=True)
    os.replace(partial, done)


def load(shards: Sequence[Shard], name: str) -> Iterator[pa.Table]:
    """One table of every finished shard, in order, one in memory at a time."""
    return (feather.read_table(shard.done / f"{name}.arrow", memory_map=False) for shard in shards)


def failed(shards: Sequence[Shard]) -> dict[str, str]:
    """The documents of finished shards at which extraction failed: id -> what went wrong."""
    return {row["article_id"]: row["detail"] for part in load(shards, "failed") for row in part.to_pylist()}


def _batched(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while group := list(itertools.islice(iterator, size)):
        yield group


def _write(table: pa.Table, path: Path) -> None:
    """Write under another name and flush before the rename: a file with its right name is whole."""
    partial = path.with_suffix(".partial")
    with explained(path):
        with partial.open("wb") as file:
            feather.write_feather(table, file, compression="uncompressed")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
