"""The Prefect flow of a run: one task for each shard, worker processes that keep their models.

In: the arguments of ``roadwire run``, as plain values that a Prefect deployment can store. Out: the published tables
and what the run did. This is the only module that imports Prefect; the steps themselves are in
``pipeline``, and ``roadwire run --no-prefect`` takes the same ones without it.

Prefect keeps no results and no cache here: tasks take and return paths, and what is finished is known from the
files beside the tables. Nothing is reported to anybody outside this machine.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
# The server that ends with the run may log a rollback of its database as an error; its failure to start is told here.
os.environ.setdefault("PREFECT_LOGGING_ROOT_LEVEL", "CRITICAL")

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner

from pipeline import batches, settings, workers
from pipeline.batches import Outcome, Progress, Silent
from pipeline.shards import Order, Shard

#: Tasks that wait in front of each worker: enough that none runs dry, few enough that an interrupted run ends soon.
WAITING = 2

#: The server migrates a database at its first start: 20 seconds on an idle machine, more on a busy one.
STARTUP_SECONDS = 180


class _Told:
    """Who is told how far the run is that this process runs. Not a parameter of the flow: those are stored."""

    progress: Progress = Silent()


class OrchestratorError(RuntimeError):
    """Prefect could not be used; the run itself was not begun."""


@task(name="extract-shard", task_run_name="extract {shard.stem}", cache_policy=NO_CACHE, persist_result=False)
def extract_shard(shard: Path) -> Path:
    """Extract one shard in the worker process that this task runs in."""
    return workers.process(shard)


def execute(pending: Sequence[Shard], order: Order, n_workers: int) -> Iterator[Shard]:
    """Work through the shards as Prefect tasks in ``n_workers`` processes, a sliding window of them at a time."""
    by_path = {shard.path: shard for shard in pending}
    waiting: deque[PrefectFuture[Path]] = deque()
    with ProcessPoolTaskRunner(
        max_workers=min(n_workers, len(pending)), initializer=workers.prepare_process, initargs=(order,)
    ) as runner:
        try:
            for shard in pending:
                waiting.append(runner.submit(extract_shard, {"shard": shard.path}))
                if len(waiting) >= WAITING * n_workers:
                    yield by_path[_result(waiting.popleft())]
            while waiting:
                yield by_path[_result(waiting.popleft())]
        except BrokenProcessPool as error:
            raise workers.died(n_workers) from error


def _result(future: PrefectFuture[Path]) -> Path:
    future.wait()  # a state read before this can be stale, and a good shard look failed
    return future.result()


@flow(name="roadwire", flow_run_name="{batch_id}", persist_result=False)
def run(
    paths: list[str], out: str, batch_id: str | None = None, settings_file: str | None = None, n_workers: int = 1
) -> Outcome:
    """Read ``paths`` and publish their tables in the folder ``out``.

    ``batch_id``: the partition that the run writes; by default one made from ``paths``.
    """
    return batches.run(
        paths,
        Path(out),
        batch_id or batches.default_batch_id(paths),
        settings.load(settings_file),
        lambda pending, order: execute(pending, order, n_workers),
        _Told.progress,
    )


def run_and_tell(
    paths: list[str], out: str, batch_id: str, settings_file: str | None, n_workers: int, progress: Progress
) -> Outcome:
    """The flow, called from this process, telling ``progress`` how far it is."""
    progress.note("starting Prefect's local server, 6 to 20 seconds (--no-prefect does without)")
    _Told.progress = progress
    try:
        with _local_server():
            return run(paths, out, batch_id, settings_file, n_workers)
    finally:
        _Told.progress = Silent()


@contextlib.contextmanager
def _local_server() -> Iterator[None]:
    """Prefect's own server on the loopback interface, unless one is configured; it ends with this process.

    Prefect stops it at a normal exit only: after a kill -9 it would stay for ever, so a shell waits beside it for
    the end of a pipe that only this process holds.
    """
    if PREFECT_API_URL.value():
        yield
        return
    home = PREFECT_HOME.value()
    if home.exists() and not os.access(home, os.W_OK):  # the server would die of it, and be waited for in vain
        raise OrchestratorError(f"Prefect cannot write to {home} (PREFECT_HOME); --no-prefect does without")
    server = SubprocessASGIServer()
    try:
        server.start(timeout=STARTUP_SECONDS)
    except (RuntimeError, OSError) as error:
        server.stop()
        raise OrchestratorError(f"Prefect's local server did not start ({error}); --no-prefect does without") from error
    process = server.server_process
    if process is None:
        yield
        return
    with subprocess.Popen(
        ["/bin/sh", "-c", "read stopped || kill $0", str(process.pid)], stdin=subprocess.PIPE, start_new_session=True
    ) as guard:
        try:
            with temporary_settings({PREFECT_API_URL: server.api_url}):  # else each worker starts a server of its own
                yield
        finally:
            server.stop()
            guard.communicate(b"stopped\n")
