"""Tables of one batch -> parquet files, all of them or none, and readable at every moment.

In: arrow tables. Out: ``OUT/<table>/<batch>.parquet``, one file for each table and batch, and
``OUT/manifests/<batch>.json``. Publishing a batch again replaces its files; nothing is ever appended.

How it stays right when it is killed: every file is first written in full under ``OUT/.roadwire`` (which no reader's
pattern matches) and flushed to the disk; a rename of that folder to ``ready`` is the commit. After it each file is
moved into place by one ``os.replace``, the manifest last. A run that dies before the commit has published nothing;
one that dies after it is finished by the next run, whatever batch that is (``recover``).

It will not check rows and not look at the clock: the same batch gives the same bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tables import ARTICLES, SCHEMAS
from pipeline.versions import Versions

#: A batch id becomes a file name, so it has the characters that are safe in one everywhere.
BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_WORK = ".roadwire"


class PublishError(RuntimeError):
    """Nothing could be written, or not now; the message says where, why and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a batch holds and what made it. Written last: a batch with a manifest is complete."""

    batch_id: str
    inputs: str  # digest of everything that the rows depend on
    versions: Versions
    items: int
    articles: int
    near_duplicates: int
    rows: dict[str, int]  # by table
    rejects: dict[str, int]  # by reason
    deals: dict[str, int]  # by type
    files: dict[str, str]  # path below the output folder -> SHA-256


def work_folder(out: Path, batch_id: str) -> Path:
    """Where a run keeps unfinished work of a batch, on the same file system as the tables."""
    return out / _WORK / batch_id


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Create ``out`` and hold it for this process alone; the lock ends with the process, however that ends.

    Raises ``PublishError`` where another run holds it or the folder cannot be written.
    """
    with explained(out):
        (out / _WORK).mkdir(parents=True, exist_ok=True)
        file = (out / _WORK / "lock").open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise PublishError(f"{out}: another run (process {holder}) is writing here; wait for it to end") from error
        with explained(out):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a ``PublishError`` with the path and the reason."""
    try:
        yield
    except OSError as error:
        place = error.filename or path
        raise PublishError(f"{place}: cannot be written ({error.strerror or error}); nothing was published") from error


def published(out: Path, batch_id: str) -> Manifest | None:
    """The manifest of a batch that is complete and whose files are those that it lists, byte for byte."""
    path = out / "manifests" / f"{batch_id}.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(**{**values, "versions": Versions(**values["versions"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None  # absent, or of another layout: the batch is written again
    intact = all((out / name).is_file() and _sha256(out / name) == digest for name, digest in manifest.files.items())
    return manifest if intact else None


def article_ids(out: Path, table: str, without_batch: str) -> set[str]:
    """The article ids in ``table`` of all batches but one; reads that column only."""
    files = [path for path in sorted((out / table).glob("*.parquet")) if path.stem != without_batch]
    return {article_id for path in files for article_id in pq.read_table(path, columns=["article_id"])[0].to_pylist()}


def stored_articles(out: Path, batch_id: str) -> pa.Table:
    """The rows of ``articles`` that this batch has published so far; none where it has not."""
    path = out / "articles" / f"{batch_id}.parquet"
    return pq.read_table(path) if path.is_file() else ARTICLES.empty_table()


def publish(out: Path, manifest: Manifest, tables: Mapping[str, Iterable[pa.Table]]) -> Manifest:
    """Write each table's parts, in order, as the batch's one file, and move all files into place.

    ``manifest.rows`` and ``manifest.files`` are filled in; the completed manifest comes back.
    Raises ``PublishError``; what was published before is then untouched.
    """
    work = work_folder(out, manifest.batch_id)
    partial = work / "partial"
    with explained(out):
        shutil.rmtree(partial, ignore_errors=True)
        rows, files = {}, {}
        for name, parts in tables.items():
            path = partial / name / f"{manifest.batch_id}.parquet"
            path.parent.mkdir(parents=True)
            rows[name] = _write(path, _stamped(SCHEMAS[name], manifest), parts)
            files[f"{name}/{path.name}"] = _sha256(path)
        complete = dataclasses.replace(manifest, rows=rows, files=files)
        _write_text(partial / "manifest.json", json.dumps(asdict(complete), indent=1, sort_keys=True) + "\n")
        os.replace(partial, work / "ready")
        _sync_folder(work)
    recover(out)
    return complete


def replace_table(out: Path, batch_id: str, name: str, table: pa.Table) -> None:
    """Put ``table`` in the place of one table of a published batch, and its digest into the manifest, both or neither.

    A batch whose manifest cannot be read is left as it is: the next run writes it anew.
    """
    path = out / "manifests" / f"{batch_id}.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(**{**values, "versions": Versions(**values["versions"])})
    except (OSError, ValueError, TypeError, KeyError):
        return
    work = work_folder(out, batch_id)
    partial = work / "partial"
    with explained(out):
        shutil.rmtree(partial, ignore_errors=True)
        file = partial / name / f"{batch_id}.parquet"
        file.parent.mkdir(parents=True)
        _write(file, _stamped(SCHEMAS[name], manifest), [table])
        files = {**manifest.files, f"{name}/{file.name}": _sha256(file)}
        complete = dataclasses.replace(manifest, files=files)
        _write_text(partial / "manifest.json", json.dumps(asdict(complete), indent=1, sort_keys=True) + "\n")
        os.replace(partial, work / "ready")
        _sync_folder(work)
    recover(out)


def replace_file(path: Path, schema: pa.Schema, parts: Iterable[pa.Table]) -> None:
    """Replace one file that belongs to no batch, whole; it is on the disk when this returns."""
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        _write(partial, schema, parts)
        os.replace(partial, path)
        _sync_folder(path.parent)


def recover(out: Path) -> None:
    """Finish what a killed run had committed but not yet moved into place. Safe to repeat."""
    for ready in sorted((out / _WORK).glob("*/ready")):
        try:
            _move_into_place(ready, out)
        except OSError as error:
            raise PublishError(
                f"{error.filename or out}: cannot be written ({error.strerror}); the tables are complete in {ready}, "
                "run the same command again to finish"
            ) from error
        shutil.rmtree(ready.parent, ignore_errors=True)


def _move_into_place(ready: Path, out: Path) -> None:
    if not (ready / "manifest.json").exists():
        return  # everything had been moved: the manifest goes last
    manifest = json.loads((ready / "manifest.json").read_text(encoding="utf-8"))
    moves = {name: name for name in manifest["files"]} | {"manifest.json": f"manifests/{manifest['batch_id']}.json"}
    for source, target in moves.items():
        if (ready / source).exists():  # the killed run may have moved it already
            (out / target).parent.mkdir(exist_ok=True)
            os.replace(ready / source, out / target)
            _sync_folder((out / target).parent)


def _write(path: Path, schema: pa.Schema, parts: Iterable[pa.Table]) -> int:
    rows = 0
    with path.open("wb") as file:
        with pq.ParquetWriter(file, schema, compression="zstd", coerce_timestamps="us") as writer:
            for part in parts:
                if part.num_rows:
                    writer.write_table(part.replace_schema_metadata(schema.metadata))
                rows += part.num_rows
        file.flush()
        os.fsync(file.fileno())
    return rows


def _stamped(schema: pa.Schema, manifest: Manifest) -> pa.Schema:
    stamp = {"batch_id": manifest.batch_id, **asdict(manifest.versions)}
    return schema.with_metadata({f"roadwire.{key}": value for key, value in stamp.items()})


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
