"""Captures: what was fetched, kept as it came, and what is known about it.

In: the folder of one capture. Out: its ``Capture``. A capture is a folder that holds one file, the bytes as they were
delivered (any compression of the transfer undone), and ``capture.json``, which says where they came from, when, under
which headers, and their SHA-256. ``pipeline.sources`` writes them, ``pipeline.readers`` reads them; neither changes one
that is there.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

CaptureKind = Literal["page", "feed", "file", "warc", "list"]
#: The file in a folder that makes the folder a capture.
RECORD = "capture.json"
FORMAT = "roadwire-capture/1"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a feed says about one article; times as it states them."""

    number: int  # position in the feed, from 1
    id: str
    url: str | None
    title: str | None = None
    published: str | None = None
    author: str | None = None
    feed_title: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """One thing that was fetched.

    ``headers``: those of the response, without cookies; empty for a file. ``version``: what the store of a file says
    that changes with its content. ``items``: the positions in it that are new and to be read; None for all, none for
    a feed whose articles are captures of their own.
    """

    source: str  # its name in sources.toml
    kind: CaptureKind
    uri: str  # as it was asked for
    file: str  # name of the file beside the record
    fetched_at: str  # ISO 8601, UTC
    sha256: str  # of the file
    size: int  # of the file, in bytes
    publisher: str | None = None  # as the operator states it
    url: str | None = None  # where redirects led; None for a file
    status: int | None = None  # of the HTTP response
    headers: tuple[tuple[str, str], ...] = ()
    redirects: tuple[str, ...] = ()
    version: str | None = None
    entry: Entry | None = None  # of a page: what the feed says about it
    entries: tuple[Entry, ...] = ()  # of a feed: those that were new in it
    items: tuple[int, ...] | None = None

    @property
    def fetched(self) -> datetime:
        """``fetched_at`` as a moment."""
        return datetime.fromisoformat(self.fetched_at)

    def header(self, name: str) -> str | None:
        """The value of a header, in any letter case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def to_json(capture: Capture) -> str:
    """The record of a capture as its file holds it."""
    return json.dumps({"format": FORMAT, **dataclasses.asdict(capture)}, ensure_ascii=False, indent=1) + "\n"


def read_capture(folder: Path) -> Capture | None:
    """The capture in ``folder``; None for a folder that holds none, or a damaged one."""
    try:
        values: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            return None
        values["headers"] = tuple((str(name), str(value)) for name, value in values["headers"])
        values["redirects"] = tuple(values["redirects"])
        values["entry"] = Entry(**values["entry"]) if values["entry"] else None
        values["entries"] = tuple(Entry(**entry) for entry in values["entries"])
        values["items"] = None if values["items"] is None else tuple(values["items"])
        capture = Capture(**values)
        datetime.fromisoformat(capture.fetched_at)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return capture if Path(capture.file).name == capture.file else None
