"""What is known from earlier fetches: validators, versions of files, which articles were seen and which still wait.

In: captures, and what became of links. Out: answers to "is this new?". An SQLite file beside the raw store; the
captures are what counts, and it can be rebuilt from them: what a run left unsaid that died, and a file that is lost or
damaged, is made good by reading the captures again (``open_state``).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import courlan

from pipeline.captures import Capture, Entry
from pipeline.sources.raw_store import WORK, RawStore, RawStoreError

Outcome = Literal["waiting", "fetched", "gone"]

#: Runs in which a link may fail before it is given up.
MAX_ATTEMPTS = 5
_SCHEMA = """
create table if not exists resource (
    source text, uri text, etag text, last_modified text, version text, sha256 text, primary key (source, uri)
) without rowid;
create table if not exists link (
    key text primary key, source text, url text, entry text, attempts integer default 0, outcome text
);
create index if not exists waiting on link (source, outcome);
create table if not exists running (since text);
"""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is known of a feed, a list or a file from the last time it was fetched."""

    etag: str | None = None
    last_modified: str | None = None
    version: str | None = None
    sha256: str | None = None

    @property
    def validators(self) -> dict[str, str]:
        """The headers of a conditional request."""
        stated = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in stated.items() if value}


@dataclass(frozen=True, slots=True)
class Link:
    """A page or a WARC that is still to be fetched."""

    key: str
    url: str
    entry: Entry | None


class State:
    """One connection for all threads of a fetch; every call is a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def resource(self, source: str, uri: str) -> Resource:
        """What is known of ``uri``; nothing, for one that is new."""
        query = "select etag, last_modified, version, sha256 from resource where source = ? and uri = ?"
        with self._lock:
            row = self._db.execute(query, (source, uri)).fetchone()
        return Resource(*row) if row else Resource()

    def remember(self, source: str, uri: str, resource: Resource, entries: Iterable[Entry] = ()) -> None:
        """Note the state of ``uri``, and the links of its entries as waiting, both or neither."""
        with self._lock, self._db:
            self._remember(source, uri, resource)
            for entry in entries:
                self._link(page_key(entry.url or ""), source, entry.url or "", entry, "waiting")

    def is_known(self, key: str) -> bool:
        """Whether a link was seen, whatever became of it."""
        with self._lock:
            return self._db.execute("select 1 from link where key = ?", (key,)).fetchone() is not None

    def outcome(self, key: str) -> Outcome | None:
        with self._lock:
            row = self._db.execute("select outcome from link where key = ?", (key,)).fetchone()
        return row[0] if row else None

    def waiting(self, source: str) -> list[Link]:
        """Links of ``source`` that are still to be fetched: those that failed least first, then as they were found."""
        query = "select key, url, entry from link where source = ? and outcome = 'waiting' order by attempts, rowid"
        with self._lock:
            rows = self._db.execute(query, (source,)).fetchall()
        return [Link(key, url, Entry(**json.loads(entry)) if entry else None) for key, url, entry in rows]

    def settle(self, key: str, outcome: Outcome) -> None:
        """Note what became of a link."""
        with self._lock, self._db:
            self._db.execute("update link set outcome = ? where key = ?", (outcome, key))

    def failed(self, key: str) -> bool:
        """Count a failed run of a link; returns whether it is given up now."""
        with self._lock, self._db:
            self._db.execute("update link set attempts = attempts + 1 where key = ?", (key,))
            self._db.execute("update link set outcome = 'gone' where key = ? and attempts >= ?", (key, MAX_ATTEMPTS))
            row = self._db.execute("select outcome from link where key = ?", (key,)).fetchone()
        return row is not None and row[0] == "gone"

    def learn(self, captures: Iterable[Capture]) -> None:
        """Note captures: the same whether they were made just now or are read from the store."""
        with self._lock, self._db:
            for capture in captures:
                self._learn(capture)

    def _learn(self, capture: Capture) -> None:
        if capture.kind in ("page", "warc"):
            for url in {capture.uri, capture.url or capture.uri}:
                key = page_key(url)
                self._link(key, capture.source, url, None, "fetched")
                self._db.execute("update link set outcome = 'fetched' where key = ?", (key,))
            return
        # A list that changed after this one would be missed, if it were asked for with the validators of this one
        # and a run had died between the capture and its links.
        conditional = capture.kind != "list"
        self._remember(
            capture.source,
            capture.uri,
            Resource(
                capture.header("etag") if conditional else None,
                capture.header("last-modified") if conditional else None,
                capture.version,
                capture.sha256,
            ),
        )
        for entry in capture.entries:
            if entry.number in (capture.items or ()):  # it is read from the feed itself
                self._link(entry_key(capture.source, entry), capture.source, entry.url or "", None, "fetched")
            elif entry.url:
                self._link(page_key(entry.url), capture.source, entry.url, entry, "waiting")

    def _remember(self, source: str, uri: str, resource: Resource) -> None:
        self._db.execute(
            "insert or replace into resource values (?, ?, ?, ?, ?, ?)",
            (source, uri, resource.etag, resource.last_modified, resource.version, resource.sha256),
        )

    def _link(self, key: str, source: str, url: str, entry: Entry | None, outcome: Outcome) -> None:
        stored = json.dumps(asdict(entry)) if entry else None
        self._db.execute(
            "insert or ignore into link (key, source, url, entry, outcome) values (?, ?, ?, ?, ?)",
            (key, source, url, stored, outcome),
        )

    @property
    def is_complete(self) -> bool:
        """Whether the captures of earlier runs were noted."""
        return bool(self._db.execute("pragma user_version").fetchone()[0])

    def complete(self) -> None:
        with self._lock:
            self._db.execute("pragma user_version = 1")

    def begin(self, now: datetime) -> datetime | None:
        """Note that a run has begun; returns when the run began that did not end, if there is one."""
        with self._lock, self._db:
            row = self._db.execute("select min(since) from running").fetchone()
            self._db.execute("insert into running values (?)", (now.isoformat(),))
        return datetime.fromisoformat(row[0]) if row[0] else None

    def end(self) -> None:
        with self._lock, self._db:
            self._db.execute("delete from running")


def open_state(store: RawStore, now: datetime) -> State:
    """The state beside ``store``, made to agree with its captures."""
    path = store.root / WORK / "state.sqlite"
    try:
        try:
            state = State(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # the disk is full or cannot be written: no reason to throw the file away
            for name in (path, path.with_name(f"{path.name}-journal")):
                name.unlink(missing_ok=True)
            state = State(path)
        died = state.begin(now)
        if died or not state.is_complete:
            state.learn(store.captures(died if state.is_complete else None))
            state.complete()
        return state
    except (sqlite3.Error, OSError) as error:
        raise RawStoreError(f"{path}: cannot be used ({error})") from error


def entry_key(source: str, entry: Entry) -> str:
    """By what an entry that is read from its feed is known again."""
    return f"{source} {entry.id}"


def page_key(url: str) -> str:
    """``url`` without what does not change the page: fragment, tracking parameters, their order."""
    if not url.lower().startswith(("http://", "https://")):
        return url
    try:
        return str(courlan.normalize_url(url.partition("#")[0]))
    except (ValueError, TypeError, AttributeError):
        return url
