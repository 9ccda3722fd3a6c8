"""One fetch: every source of the list, several at once, one that fails beside those that do not.

In: sources, the folder of the raw store, the time. Out: ``FetchReport``, also as ``RAW/.fetch/report.json``. The same
fetch again brings only what is new; one that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import sqlite3
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from pipeline.sources.addresses import Resolve, resolve
from pipeline.sources.feeds import fetch_feed
from pipeline.sources.files import fetch_files, fetch_warc_list
from pipeline.sources.hosts import FetchFailure, Hosts
from pipeline.sources.http_client import Client
from pipeline.sources.raw_store import WORK, RawStore, RawStoreError, locked, write_whole
from pipeline.sources.session import Failure, Session, SourceReport, told
from pipeline.sources.source_list import FeedSource, FileSource, Source
from pipeline.sources.state import State, open_state


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What a fetch did, source by source in the order of the list."""

    begun: str  # ISO 8601, UTC
    ended: str
    sources: tuple[SourceReport, ...]

    @property
    def new(self) -> int:
        return sum(source.new for source in self.sources)

    @property
    def failures(self) -> list[Failure]:
        return [failure for source in self.sources for failure in source.failures]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a fetch takes from the world. ``now`` gives an aware time."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    resolver: Resolve = resolve
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


def fetch(
    sources: Sequence[Source],
    raw: Path,
    world: Surroundings,
    at_once: int = 8,
    tell: Callable[[SourceReport], None] = lambda report: None,
) -> FetchReport:
    """Bring what is new in ``sources`` into the raw store ``raw``; ``tell`` is called as each source ends.

    Raises ``RawStoreError`` where the store cannot be written; then what was fetched before is safe.
    """
    begun = world.now()
    with locked(raw) as store:
        state = open_state(store, begun)
        try:
            reports = _fetch_all(sources, store, state, world, at_once, tell)
            state.end()
            ended = world.now().isoformat(timespec="seconds")
            report = FetchReport(begun.isoformat(timespec="seconds"), ended, tuple(reports))
            write_whole(raw / WORK / "report.json", json.dumps(asdict(report), ensure_ascii=False, indent=1) + "\n")
            return report
        except sqlite3.Error as error:
            raise RawStoreError(f"{raw / WORK}/state.sqlite: cannot be written ({error})") from error
        finally:
            state.close()


def _fetch_all(
    sources: Sequence[Source],
    store: RawStore,
    state: State,
    world: Surroundings,
    at_once: int,
    tell: Callable[[SourceReport], None],
) -> list[SourceReport]:
    hosts = Hosts(world.sleep)
    reports = {source.name: SourceReport(source.name) for source in sources}
    with ThreadPoolExecutor(at_once) as pool:
        running = {
            pool.submit(_fetch_one, source, store, state, world, hosts, reports[source.name]): source.name
            for source in sources
        }
        try:
            for future in as_completed(running):
                future.result()
                tell(reports[running[future]])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return list(reports.values())


def _fetch_one(
    source: Source, store: RawStore, state: State, world: Surroundings, hosts: Hosts, report: SourceReport
) -> None:
    client = Client(source.manners, hosts, world.now, world.resolver, world.tls)
    session = Session(source, store, state, client, world.now, world.sleep, report)
    try:
        if isinstance(source, FeedSource):
            fetch_feed(source, session)
        elif isinstance(source, FileSource):
            fetch_files(source, session)
        else:
            fetch_warc_list(source, session)
    except (RawStoreError, sqlite3.Error):
        raise  # trouble of the machine, not of a source
    except Exception as error:  # a fault here must not cost the other sources their night
        uri = source.url if isinstance(source, FeedSource) else source.uri
        session.fail(uri, FetchFailure("failed", told(error)))
    finally:
        client.close()
