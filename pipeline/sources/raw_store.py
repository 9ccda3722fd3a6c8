"""The raw store: a folder in which every capture is there in full or not at all.

In: the content of something fetched, piece by piece, and what is known about it. Out:
``RAW/<source>/<day>/<time>-<digest>/``, a folder for each capture (see ``pipeline.captures``).

How it stays right when it is killed: a capture is first written under ``RAW/.fetch`` (which no reader's pattern
matches) and flushed to the disk; one rename of its folder makes it visible. What a run that died left there is removed
by the next. It will not change or delete a capture.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pipeline.captures import RECORD, Capture, read_capture, to_json

WORK = ".fetch"
_PARTIAL = "partial"
_MAX_NAME = 100


class RawStoreError(RuntimeError):
    """The raw store cannot be written, or not now; the message says where and why."""


class Draft:
    """The content of a capture on its way into the store; nobody sees it before it is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _explained(folder):
            folder.mkdir(parents=True)
            self._file = (folder / "content").open("w+b")
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Take the next piece of the content."""
        with _explained(self._folder):
            self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Forget what was written, as a retry needs."""
        with _explained(self._folder):
            self._file.seek(0)
            self._file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0

    def content(self) -> bytes:
        """All of it, for what is small enough to be looked at."""
        with _explained(self._folder):
            self._file.flush()
            self._file.seek(0)
            data = self._file.read()
            self._file.seek(0, os.SEEK_END)
        return data

    def finish(self, name: str, record: str) -> None:
        """Put everything on the disk under its final names, still out of sight."""
        with _explained(self._folder):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.rename(self._folder / "content", self._folder / name)
            with (self._folder / RECORD).open("w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(record)
                file.flush()
                os.fsync(file.fileno())
            _flush(self._folder)

    def close(self) -> None:
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class RawStore:
    """The store in the folder ``root``, held by one process at a time (see ``locked``)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def draft(self) -> Iterator[Draft]:
        """An empty draft; one that is not kept leaves nothing."""
        draft = Draft(self.root / WORK / _PARTIAL / os.urandom(12).hex())
        try:
            yield draft
        finally:
            draft.close()

    def keep(self, draft: Draft, capture: Capture) -> Capture:
        """Make ``draft`` visible as ``capture``, with its size and digest; returns what was written."""
        capture = replace(capture, file=file_name(capture.file), size=draft.size, sha256=draft.sha256)
        moment = capture.fetched
        which = hashlib.sha256(f"{capture.uri}\n{capture.sha256}".encode("utf-8", "backslashreplace")).hexdigest()[:16]
        folder = self.root / capture.source / moment.strftime("%Y-%m-%d") / f"{moment:%H%M%S}-{which}"
        draft.finish(capture.file, to_json(capture))
        with _explained(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            if not folder.exists():  # else it is this very capture
                os.rename(draft.folder, folder)
                _flush(folder.parent)
        return capture

    def captures(self, since: datetime | None = None) -> Iterator[Capture]:
        """All captures, or those of the days from ``since`` on, day by day."""
        first = f"{since:%Y-%m-%d}" if since else ""
        days = (day for day in self.root.glob("[!.]*/????-??-??") if day.name >= first)
        for day in sorted(days, key=lambda path: (path.name, path)):
            for folder in sorted(day.iterdir()):
                capture = read_capture(folder)
                if capture:
                    yield capture


@contextlib.contextmanager
def locked(root: Path) -> Iterator[RawStore]:
    """The store in ``root``, made if it is not there, for this process alone; the lock ends with the process.

    Raises ``RawStoreError`` where another process holds it or it cannot be written.
    """
    with _explained(root):
        (root / WORK).mkdir(parents=True, exist_ok=True)
        file = (root / WORK / "lock").open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RawStoreError(f"{root}: another fetch is writing here; wait for it to end") from error
        shutil.rmtree(root / WORK / _PARTIAL, ignore_errors=True)
        yield RawStore(root)


def write_whole(path: Path, text: str) -> None:
    """Replace the file at ``path`` in one step."""
    partial = path.with_name(f"{path.name}.partial")
    with _explained(path):
        with partial.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)


def file_name(name: str) -> str:
    """``name`` as a file name that is safe everywhere and keeps its suffixes, by which the format is known."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-_MAX_NAME:].lstrip(".-")
    return safe if safe and safe.lower() != RECORD else f"content-{safe}".rstrip("-")


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RawStoreError(
            f"{error.filename or path}: cannot be written ({error.strerror or error}); what was fetched before is safe"
        ) from error
