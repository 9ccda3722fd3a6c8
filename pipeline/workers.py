"""Shards -> finished shards, in this process or in several; the same function whoever calls it.

In: the path of a shard's documents. Out: its tables, checked and left beside it (``pipeline.shards``).
Models are loaded once for each process, when its first shard arrives. It will not read news and not publish.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import checks, shards, tables
from pipeline.shards import Order, Shard

if TYPE_CHECKING:
    from pipeline.run import Models


class WorkerError(RuntimeError):
    """A worker process that died; what was finished stays, and the same command goes on from there."""


class _Worker:
    """The state of one process: its order, and the models from the first shard on."""

    order: Order | None = None
    models: Models | None = None


def prepare_process(order: Order, follow_parent: bool = True) -> None:
    """Called once in each worker process. With ``follow_parent`` the process ends when its parent is gone.

    A pool's worker waits on a pipe whose other end it holds itself, so without this the workers of a run that was
    killed with -9 would wait for ever.
    """
    _Worker.order = order
    parent = multiprocessing.parent_process()
    if follow_parent and parent is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def process(path: Path) -> Path:
    """Extract one shard in this process; returns ``path``.

    Raises ``ModelError``, ``CheckError``, ``PublishError`` or ``OSError``.
    """
    if _Worker.order is None:
        raise RuntimeError("prepare_process was not called in this process")
    if _Worker.models is None:
        from pipeline import run  # with spaCy and the extractors, which only the processes that work need

        _Worker.models = run.load_models(_Worker.order.settings)
    process_shard(path, _Worker.order, _Worker.models)
    return path


def process_shard(path: Path, order: Order, models: Models) -> None:
    """Extract the documents of a shard, check their rows, and leave them beside it."""
    from pipeline.run import extract_all

    extractions, failed = extract_all(shards.documents_of(path), models, order.settings)
    parts = tables.article_tables(extractions, order.batch_id, order.versions)
    checks.check_tables(parts)
    shards.save(path, parts, failed)


def in_this_process(pending: Sequence[Shard], order: Order) -> Iterator[Shard]:
    """Work through the shards one after the other, giving each when it is finished."""
    prepare_process(order, follow_parent=False)
    for shard in pending:
        process(shard.path)
        yield shard


def in_processes(pending: Sequence[Shard], order: Order, workers: int) -> Iterator[Shard]:
    """Work through the shards in ``workers`` fresh processes, giving each shard when it is finished."""
    with ProcessPoolExecutor(
        max_workers=min(workers, len(pending)) or 1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=prepare_process,
        initargs=(order,),
    ) as pool:
        futures = {pool.submit(process, shard.path): shard for shard in pending}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BrokenProcessPool as error:
            raise died(workers) from error
        finally:
            pool.shutdown(cancel_futures=True)


def died(workers: int) -> WorkerError:
    """The error for a process that ended in the middle of its work."""
    return WorkerError(
        f"one of {workers} worker processes died, most often for want of memory; finished work is kept, "
        "run the same command again to go on, with fewer --workers if it happens again"
    )


def _end_with(parent: int) -> None:
    wait([parent])
    os._exit(1)
