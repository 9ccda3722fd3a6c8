"""The events of an output folder: read the tables of all batches, write ``deal_events`` and what belongs to it.

In: a folder that ``roadwire run`` has written. Out: ``deal_events``, ``event_members`` and ``event_aliases`` (one file
each), and the column ``event_id`` of ``deals``, batch by batch. Safe to repeat, and to stop: every file is replaced
whole, and a second run over the same rows writes nothing. It will not join deals itself (``pipeline.events`` does).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import publish, settings, versions
from pipeline.duplicates import CopyIndex, signature
from pipeline.event_rows import event_rows
from pipeline.events import Tellings, assign, event_ids, order
from pipeline.tables import EVENT_ALIASES, EVENT_MEMBERS, EVENT_SCHEMAS, SCHEMAS

_FILE = "events.parquet"
_RULES = b"roadwire.rules"  # key in the metadata of event_members
_COLUMNS = {
    "articles": ["article_id", "published_at", "publisher", "duplicate_of"],
    "sightings": ["article_id", "published_at"],
    "locations": ["geoname_id", "name", "kind", "country_code", "admin1"],
}


class EventError(ValueError):
    """The folder holds no tables; the message says where they were looked for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run over all batches found."""

    deals: int
    events: int
    taken_over: int  # deals whose event the run before had settled
    renamed: int  # event ids that are aliases now
    unchanged: bool


def update(out: Path) -> Outcome:
    """Bring the events of ``out`` up to date with its deals. Raises ``EventError`` or ``PublishError``."""
    _require(out)
    with publish.locked(out):
        publish.recover(out)
        return refresh(out)


def refresh(out: Path) -> Outcome:
    """``update`` for a caller that holds the folder already."""
    tellings = _tellings(out, None)
    before = _stored(out, "event_members")
    rules = _rules()
    same_rules = (before.schema.metadata or {}).get(_RULES) == rules
    settled = _settled(tellings, before) if same_rules else []
    numbers = assign(tellings, settled)
    ids = event_ids(tellings, numbers)
    sources = _sources(out, tellings, numbers, before["source"].to_pylist()[: len(settled)])
    tellings = dataclasses.replace(tellings, sources=sources)
    members = _members(tellings, numbers, ids)
    unchanged = (
        same_rules and members.equals(before) and all((out / table / _FILE).is_file() for table in EVENT_SCHEMAS)
    )
    _stamp_deals(out, dict(zip(members["deal_id"].to_pylist(), members["event_id"].to_pylist(), strict=True)))
    aliases = _aliases(_stored(out, "event_aliases"), before, members)
    if not unchanged:
        made = {"deal_events": event_rows(tellings, numbers, ids), "event_aliases": [aliases]}
        made["event_members"] = [members]  # last: it says that the others are complete
        for table, parts in made.items():
            schema = EVENT_SCHEMAS[table].with_metadata({_RULES: rules})
            publish.replace_file(out / table / _FILE, schema, parts)
    return Outcome(len(tellings), len(ids), len(settled), aliases.num_rows, unchanged)


def as_known_on(out: Path, day: date) -> pa.Table:
    """``deal_events`` from what was published up to the end of ``day`` (UTC), and from nothing later."""
    _require(out)
    tellings = _tellings(out, day)
    numbers = assign(tellings)
    tellings = dataclasses.replace(tellings, sources=_sources(out, tellings, numbers, []))
    parts = list(event_rows(tellings, numbers, event_ids(tellings, numbers)))
    return pa.concat_tables(parts) if parts else EVENT_SCHEMAS["deal_events"].empty_table()


def current(out: Path) -> pa.Table:
    """``deal_events`` as stored; empty where ``update`` has not run."""
    return _stored(out, "deal_events")


def _require(out: Path) -> None:
    if not any((out / "deals").glob("*.parquet")):
        raise EventError(f"{out}: no tables here ({out / 'deals'} holds no parquet file); write some with roadwire run")


def _tellings(out: Path, as_of: date | None) -> Tellings:
    deals = _read(out, "deals", None)
    locations = pa.Table.from_pandas(
        _read(out, "locations", _COLUMNS["locations"]).to_pandas().drop_duplicates(), preserve_index=False
    )
    articles, sightings = (_read(out, name, _COLUMNS[name]) for name in ("articles", "sightings"))
    return order(deals, articles, sightings, locations, as_of)


def _read(out: Path, table: str, columns: Sequence[str] | None) -> pa.Table:
    schema = SCHEMAS[table] if columns is None else pa.schema([SCHEMAS[table].field(name) for name in columns])
    parts = [pq.read_table(path, columns=schema.names) for path in sorted((out / table).glob("*.parquet"))]
    return pa.concat_tables([part.cast(schema) for part in parts]) if parts else schema.empty_table()


def _stored(out: Path, table: str) -> pa.Table:
    path = out / table / _FILE
    return pq.read_table(path) if path.is_file() else EVENT_SCHEMAS[table].empty_table()


@functools.cache
def _rules() -> bytes:
    """Digest of what decides beside the rows: the code, and the settings for near copies."""
    near = settings.load().near_duplicates
    return hashlib.sha256(f"{versions.current().code} {near}".encode()).hexdigest()[:16].encode()


def _settled(tellings: Tellings, before: pa.Table) -> list[int]:
    """Event numbers of the leading deals that are those of the run before, one by one, in content and order."""
    known = before["digest"].to_numpy()
    shared = min(len(known), len(tellings))
    differs = np.flatnonzero(known[:shared] != tellings.digests[:shared])
    length = int(differs[0]) if len(differs) else shared
    if length and length < len(tellings) and tellings.articles[length] == tellings.articles[length - 1]:
        # An article is laid beside the events as a whole: one that has changed in part is done again.
        length = int(np.flatnonzero(tellings.articles == tellings.articles[length])[0])
    return pd.factorize(before["event_id"].to_pandas()[:length])[0].tolist()


def _sources(
    out: Path, tellings: Tellings, numbers: npt.NDArray[np.int64], settled: Sequence[str]
) -> npt.NDArray[np.object_]:
    """The independent source of each row, near copies from other batches found too.

    A batch knows its own near copies only. Copies of one story tell one deal, so it is enough to compare the articles
    of an event. ``settled``: the sources of the leading rows, from the run before; events without a new row keep them.
    """
    sources = tellings.sources.copy()
    sources[: len(settled)] = settled
    frame = pd.DataFrame({"event": numbers, "source": sources})
    changed = frame["event"].isin(numbers[len(settled) :])
    told = frame[changed & (frame.groupby("event")["source"].transform("nunique") > 1)]
    near = settings.load().near_duplicates
    signatures = {
        article: signature(text, near) for article, text in _texts(out, set(tellings.articles[told.index].tolist()))
    }
    for rows in told.groupby("event", sort=False).indices.values():
        index = CopyIndex(near)
        first: dict[str, str] = {}
        for row in told.index[rows].tolist():
            article = tellings.articles[row]
            original = index.add(article, signatures[article], tellings.publishers[row] or None)
            sources[row] = first.setdefault(article if original is None else original, sources[row])
    return sources


def _texts(out: Path, articles: set[str]) -> Iterator[tuple[str, str]]:
    """Article ids and texts, one batch in memory at a time."""
    wanted = pa.array(sorted(articles), pa.string())
    for path in sorted((out / "articles").glob("*.parquet")) if articles else ():
        table = pq.read_table(path, columns=["article_id", "text"])
        table = table.filter(pc.is_in(table["article_id"], value_set=wanted))
        yield from zip(table["article_id"].to_pylist(), table["text"].to_pylist(), strict=True)


def _members(tellings: Tellings, numbers: npt.NDArray[np.int64], ids: Sequence[str]) -> pa.Table:
    columns = {
        "event_id": np.array(ids, dtype=object)[numbers] if len(numbers) else [],
        "deal_id": tellings.table["deal_id"],
        "article_id": tellings.table["article_id"],
        "known_at": pa.array(tellings.known_at),
        "source": tellings.sources,
        "digest": tellings.digests,
    }
    arrays = [pc.cast(pa.array(v) if not isinstance(v, pa.ChunkedArray) else v, EVENT_MEMBERS.field(k).type)
              for k, v in columns.items()]  # fmt: skip
    return pa.table(arrays, schema=EVENT_MEMBERS)


def _aliases(aliases: pa.Table, before: pa.Table, members: pa.Table) -> pa.Table:
    """Old ids -> the event that tells now what the old one told first; ids that are in use again are no aliases."""
    now = members.select(["event_id", "deal_id", "article_id"]).to_pandas()
    by_deal = dict(zip(now["deal_id"], now["event_id"], strict=True))
    by_article = now.groupby("article_id")["event_id"].agg(lambda ids: ids.iloc[0] if ids.nunique() == 1 else None)
    live = set(now["event_id"])
    gone = before.select(["event_id", "deal_id", "article_id"]).to_pandas()
    gone = gone[~gone["event_id"].isin(live)]
    gone["now"] = gone["deal_id"].map(by_deal).fillna(gone["article_id"].map(by_article))
    renamed: dict[str, str | None] = gone.groupby("event_id")["now"].first().to_dict()
    for old, new in zip(aliases["old_event_id"].to_pylist(), aliases["event_id"].to_pylist(), strict=True):
        if old not in live:
            renamed.setdefault(old, renamed.get(new, new) if new not in live else new)
    rows = [{"old_event_id": old, "event_id": new if new in live else None} for old, new in sorted(renamed.items())]
    return pa.Table.from_pylist(rows, schema=EVENT_ALIASES)


def _stamp_deals(out: Path, event_of: Mapping[str, str]) -> None:
    """Write the event ids into ``deals``, in the batches where one differs."""
    for path in sorted((out / "deals").glob("*.parquet")):
        deals = pq.read_table(path)
        ids = pa.array([event_of[deal_id] for deal_id in deals["deal_id"].to_pylist()], pa.string())
        if not pa.chunked_array([ids]).equals(deals["event_id"]):
            position = deals.schema.get_field_index("event_id")
            stamped = deals.set_column(position, deals.schema.field(position), ids)
            publish.replace_table(out, path.stem, "deals", stamped)
