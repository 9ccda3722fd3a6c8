"""One run of a batch: read, share out, check, publish; and go on where an interrupted run stopped.

In: files, folders or URIs, the output folder and who works through the shards (``Execute``). Out: the published
tables and an ``Outcome``. It knows no orchestrator and no clock.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from pipeline import checks, publish, shards, tables, versions
from pipeline.intake import FirstCopy, Ledger, distinct_documents, move_to_rejects, near_copies
from pipeline.prepare import prepare
from pipeline.publish import Manifest
from pipeline.readers import read
from pipeline.records import Article, Document, Reject
from pipeline.settings import Settings
from pipeline.shards import Order, Shard


class BatchError(ValueError):
    """A batch that cannot be run as asked; the message says why."""


class ExtractionError(RuntimeError):
    """Not one article could be extracted, so the fault is not in the articles."""


class Progress(Protocol):
    """Who is told how far a run is."""

    def reading(self, items: int) -> None:
        """So many items are read."""

    def extracting(self, done: int, total: int) -> None:
        """So many of the new documents are extracted."""

    def note(self, text: str) -> None:
        """What is happening now, in words."""


class Silent:
    """A ``Progress`` that tells nobody."""

    def reading(self, items: int) -> None: ...

    def extracting(self, done: int, total: int) -> None: ...

    def note(self, text: str) -> None: ...


#: Works through shards in any order, and gives each one when its tables are there.
Execute = Callable[[Sequence[Shard], Order], Iterator[Shard]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. ``unchanged``: the batch was there already, from the same inputs by the same versions."""

    manifest: Manifest
    unchanged: bool
    resumed: int  # documents that an interrupted run had extracted


def default_batch_id(paths: Sequence[str]) -> str:
    """A batch id from the inputs as they are named: the same paths give the same batch, whatever they hold.

    The name of the first input, readable, and a digest of all of them, made absolute where they are local.
    """
    names = [path if "://" in path else str(Path(path).absolute()) for path in paths]
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(names[0].rstrip("/")).stem).strip("-")[:40]
    digest = hashlib.sha256("\n".join(sorted(names)).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{stem or 'batch'}-{digest[:8]}"


def run(
    paths: Sequence[str], out: Path, batch_id: str, settings: Settings, execute: Execute, progress: Progress
) -> Outcome:
    """Read ``paths`` and publish their tables in ``out`` as the batch ``batch_id``, replacing what it held before.

    Raises ``BatchError`` or ``InputError`` for what was asked; ``PublishError``, ``CheckError``, ``ModelError``,
    ``WorkerError`` or ``ExtractionError`` for what went wrong, and then the tables are those from before.
    """
    if not publish.BATCH_ID.fullmatch(batch_id):
        raise BatchError(
            f"batch id {batch_id!r}: use up to 100 letters, digits, '.', '_' and '-', a letter or digit first"
        )
    order = Order(batch_id, settings, versions.current())
    with publish.locked(out):
        publish.recover(out)
        ledger, staged, elsewhere = _read(paths, out, order, progress)
        inputs = _inputs(order, staged, ledger)
        before = publish.published(out, batch_id)
        if before is not None and before.inputs == inputs:
            shutil.rmtree(publish.work_folder(out, batch_id), ignore_errors=True)
            return Outcome(before, unchanged=True, resumed=0)
        resumed = _extract(staged, order, execute, progress)
        progress.note("checking and publishing")
        return Outcome(_publish(out, order, inputs, ledger, staged, elsewhere), unchanged=False, resumed=resumed)


def _read(paths: Sequence[str], out: Path, order: Order, progress: Progress) -> tuple[Ledger, list[Shard], set[str]]:
    """The ledger of all items, the shards of new documents, and the articles that other batches hold."""
    progress.note("reading")
    settings, ledger, first_copy = order.settings, Ledger(), near_copies(order.settings)
    elsewhere = publish.article_ids(out, "articles", without_batch=order.batch_id)
    items = read(paths, settings)
    new = distinct_documents(
        _counted(items, progress), ledger, lambda article: prepare(article, settings), first_copy, elsewhere
    )
    kept = _still_needed(out, order.batch_id, ledger, elsewhere, first_copy)
    staged = shards.stage(itertools.chain(new, kept), publish.work_folder(out, order.batch_id), order)
    return ledger, staged, elsewhere


def _counted(items: Iterable[Article | Reject], progress: Progress) -> Iterator[Article | Reject]:
    for count, item in enumerate(items, start=1):
        yield item
        progress.reading(count)


def _still_needed(
    out: Path, batch_id: str, ledger: Ledger, elsewhere: set[str], first_copy: FirstCopy
) -> Iterator[Document]:
    """Articles that this batch wrote before, is not given any more, and that another batch has seen since.

    The other batch wrote only a sighting, because the rows were here; so here they stay.
    """
    delivered = {sighting.article_id for sighting in ledger.sightings}
    sighted_elsewhere = publish.article_ids(out, "sightings", without_batch=batch_id)
    for document in tables.documents_of(publish.stored_articles(out, batch_id)):
        if document.article_id in sighted_elsewhere - delivered - elsewhere:
            yield dataclasses.replace(document, duplicate_of=first_copy(document))


def _inputs(order: Order, staged: Sequence[Shard], ledger: Ledger) -> str:
    described = repr((order, [shard.key for shard in staged], ledger.sightings, ledger.rejects))
    return hashlib.sha256(described.encode("utf-8", "backslashreplace")).hexdigest()


def _extract(staged: Sequence[Shard], order: Order, execute: Execute, progress: Progress) -> int:
    """Have every unfinished shard extracted; returns how many documents were finished before."""
    pending = [shard for shard in staged if not shard.done.is_dir()]
    total = sum(shard.n_documents for shard in staged)
    resumed = done = total - sum(shard.n_documents for shard in pending)
    progress.extracting(done, total)
    if pending:
        for shard in execute(pending, order):
            done += shard.n_documents
            progress.extracting(done, total)
    return resumed


def _publish(
    out: Path, order: Order, inputs: str, ledger: Ledger, staged: Sequence[Shard], elsewhere: set[str]
) -> Manifest:
    failed = shards.failed(staged)
    if failed and len(failed) == sum(shard.n_documents for shard in staged):
        raise ExtractionError(f"every article failed, the first one with {next(iter(failed.values()))}")
    move_to_rejects(ledger, failed)
    ledgers = tables.ledger_tables(ledger.sightings, ledger.rejects, order.batch_id)
    checks.check_tables(ledgers)
    checks.check_counts(order.batch_id, ledger.items, len(ledger.sightings), len(ledger.rejects))
    own = _column(staged, "articles", "article_id")
    checks.check_articles(order.batch_id, own, elsewhere, [sighting.article_id for sighting in ledger.sightings])
    checks.check_unique("deals", "deal_id", _column(staged, "deals", "deal_id"))
    parts: Mapping[str, Iterable[pa.Table]] = {
        "articles": (tables.without_copies_of(part, failed) for part in shards.load(staged, "articles")),
        **{name: shards.load(staged, name) for name in tables.ARTICLE_TABLES[1:]},
        **{name: [table] for name, table in ledgers.items()},
    }
    copies = [copy_of for copy_of in _column(staged, "articles", "duplicate_of") if copy_of not in {None, *failed}]
    manifest = Manifest(
        batch_id=order.batch_id,
        inputs=inputs,
        versions=order.versions,
        items=ledger.items,
        articles=len(own),
        near_duplicates=len(copies),
        rows={},
        rejects=dict(Counter(reject.reason for reject in ledger.rejects)),
        deals=dict(Counter(_column(staged, "deals", "deal_type"))),
        files={},
    )
    return publish.publish(out, manifest, parts)


def _column(staged: Sequence[Shard], table: str, column: str) -> list[str]:
    return [value for part in shards.load(staged, table) for value in part[column].to_pylist()]
