"""What the fetch of one source needs, and what it leaves: captures in the store, rows in its report.

In: a source. Out: ``SourceReport``. A failure is a row; only trouble of the machine (``RawStoreError``) is raised.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import fsspec

from pipeline.captures import Capture
from pipeline.sources.hosts import FailureReason, FetchFailure
from pipeline.sources.http_client import Client, Response, pause
from pipeline.sources.raw_store import Draft, RawStore, RawStoreError
from pipeline.sources.source_list import Manners, Source
from pipeline.sources.state import MAX_ATTEMPTS, Link, State

#: Reasons for which a link was not asked for at all.
NOT_ASKED = ("host_down", "rate_limited")
COPY_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be had: from which source, what, and why."""

    source: str
    url: str
    reason: FailureReason
    why: str


@dataclass(slots=True)
class SourceReport:
    """What the fetch of one source did. ``waiting``: links that the next run takes up."""

    source: str
    new: int = 0
    known: int = 0
    waiting: int = 0
    bytes: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass(slots=True)
class Session:
    """The fetch of one source, in one thread."""

    source: Source
    store: RawStore
    state: State
    client: Client
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    report: SourceReport

    @property
    def manners(self) -> Manners:
        return self.source.manners

    def stamp(self) -> str:
        """The time, as captures carry it."""
        return self.now().isoformat(timespec="seconds")

    def keep(self, draft: Draft, capture: Capture) -> Capture:
        """Store a draft, and note that it is there."""
        kept = self.store.keep(draft, capture)
        self.report.bytes += kept.size
        return kept

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Make a fault that nobody expected a ``FetchFailure``, so that one item cannot hold up those after it."""
        try:
            yield
        except (FetchFailure, RawStoreError, sqlite3.Error):  # the last two: trouble of the machine
            raise
        except Exception as error:
            raise FetchFailure("failed", told(error)) from error

    def fail(self, url: str, failure: FetchFailure) -> None:
        """Put a failure in the report."""
        self.report.failures.append(Failure(self.source.name, url, failure.reason, failure.why))

    def give_up(self, link: Link, failure: FetchFailure) -> None:
        """Put the failure of a link in the report; the next run tries again, unless that is of no use."""
        if failure.permanent:
            self.state.settle(link.key, "gone")
        elif failure.reason not in NOT_ASKED and self.state.failed(link.key):
            failure = FetchFailure(failure.reason, f"{failure.why}; given up after {MAX_ATTEMPTS} runs")
        self.fail(link.url, failure)

    def get(
        self,
        url: str,
        draft: Draft,
        validators: dict[str, str] | None = None,
        media_types: Collection[str] | None = None,
        as_file: bool = False,
    ) -> Response:
        """Fetch ``url`` over HTTP into ``draft``; ``as_file``: within the bounds of files. Raises ``FetchFailure``."""
        manners = self.manners
        return self.client.get(
            url,
            draft,
            max_bytes=manners.max_file_bytes if as_file else manners.max_bytes,
            timeout=manners.total_file_timeout if as_file else manners.total_timeout,
            validators=validators,
            media_types=media_types,
        )

    def copy(self, system: fsspec.AbstractFileSystem, path: str, draft: Draft, size: int | None) -> None:
        """Copy a file of any file system into ``draft``. Raises ``FetchFailure``."""
        most = self.manners.max_file_bytes
        if size is not None and size > most:
            raise FetchFailure("too_large", f"it has {size:,} bytes, more than {most:,}", permanent=True)
        for attempt in range(self.manners.retries + 1):
            try:
                draft.restart()
                self._copy(system, path, draft)
                if size is not None and draft.size != size:
                    raise FetchFailure("changed", f"it had {size:,} bytes, and {draft.size:,} when it was read")
                return
            except FileNotFoundError as error:
                raise FetchFailure("missing", "it is gone") from error
            except PermissionError as error:
                raise FetchFailure("missing", f"it may not be read ({error})") from error
            except (FetchFailure, RawStoreError):
                raise
            except Exception as error:  # drivers of object stores raise whatever they like
                if attempt == self.manners.retries:
                    raise FetchFailure("connection", f"{told(error)} ({attempt + 1} attempts)") from error
                self.sleep(pause(attempt))

    def _copy(self, system: fsspec.AbstractFileSystem, path: str, draft: Draft) -> None:
        deadline = time.monotonic() + self.manners.total_file_timeout
        with system.open(path, "rb") as stream:
            while chunk := stream.read(COPY_BYTES):
                draft.write(chunk)
                if draft.size > self.manners.max_file_bytes:
                    most = self.manners.max_file_bytes
                    raise FetchFailure("too_large", f"it has more than {most:,} bytes", permanent=True)
                if time.monotonic() > deadline:
                    raise FetchFailure("timeout", "the copy took longer than total_file_timeout")


def told(error: Exception) -> str:
    """An error of a library in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
