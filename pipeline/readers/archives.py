"""gz, bz2, xz, zip and tar: what is packed becomes sources of its own.

In: a source whose stream is an archive. Out: a ``Source`` for each member, to be read before the next one is
asked for, or a ``Reject``. Members are never written to a path; their names serve only as URIs
(``news.zip!/2025/a.html``). Folders, links, devices and hidden files are no members. A compressed single file
keeps its URI, because there is nothing else in it.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from pipeline.readers.source import Source, buffered, seekable
from pipeline.records import Reject
from pipeline.settings import Settings


def is_hidden(path: str) -> bool:
    """Whether a part of ``path`` is hidden, or is what macOS adds to archives."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in path.split("/"))


def open_gzip(source: Source, settings: Settings) -> Iterator[Source | Reject]:
    """The one file in a .gz."""
    with gzip.open(source.stream) as stream:
        yield _inner(source, stream)


def open_bzip2(source: Source, settings: Settings) -> Iterator[Source | Reject]:
    """The one file in a .bz2."""
    with bz2.open(source.stream) as stream:
        yield _inner(source, stream)


def open_xz(source: Source, settings: Settings) -> Iterator[Source | Reject]:
    """The one file in a .xz."""
    with lzma.open(source.stream) as stream:
        yield _inner(source, stream)


def open_tar(source: Source, settings: Settings) -> Iterator[Source | Reject]:
    """The files of a tar, however it is compressed, in their order; read as a stream."""
    with tarfile.open(fileobj=source.stream, mode="r|*") as archive:
        for member in archive:
            if not member.isfile() or is_hidden(member.name):
                continue
            stream = archive.extractfile(member)
            if stream is not None:
                yield _member(source, member.name, stream)


def open_zip(source: Source, settings: Settings) -> Iterator[Source | Reject]:
    """The files of a zip, in their order; one that is encrypted or damaged rejects itself only."""
    with zipfile.ZipFile(seekable(source, settings.reading.max_bytes)) as archive:
        for info in archive.infolist():
            if info.is_dir() or is_hidden(info.filename):
                continue
            try:
                stream = archive.open(info)
            except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
                uri = f"{source.uri}!/{info.filename}"
                yield Reject(uri, info.filename, "unreadable", f"{uri}: {error}")
                continue
            with stream:
                yield _member(source, info.filename, stream)


def _inner(source: Source, stream: IO[bytes] | gzip.GzipFile) -> Source:
    name = source.name.rsplit(".", 1)[0] if "." in source.name else source.name
    return Source(source.uri, name, buffered(stream), source.depth + 1)


def _member(source: Source, path: str, stream: IO[bytes]) -> Source:
    path = path.removeprefix("./")
    return Source(f"{source.uri}!/{path}", PurePosixPath(path).name, buffered(stream), source.depth + 1)
