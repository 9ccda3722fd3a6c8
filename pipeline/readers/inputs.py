"""Paths, folders, globs and URIs become the list of files to read.

In: what the user typed. Out: ``Input`` records in a fixed order, none twice. Nothing is opened here except
what a remote file system needs to list a folder, and the records of captures. A path that does not exist, a
glob that matches nothing and a folder without files are mistakes of the user: ``InputError``, before anything
is read.
"""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import fsspec

from pipeline.captures import RECORD, read_capture
from pipeline.readers.archives import is_hidden
from pipeline.readers.source import buffered

# A web server lists no folders, and "?" there begins a query and is no wildcard.
UNLISTABLE = frozenset({"http", "https"})


class InputError(ValueError):
    """An input that names nothing to read; the message says which one and why."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read; ``capture``: the folder that it was captured in, where it stands in a raw store."""

    uri: str
    name: str
    open: Callable[[], io.BufferedReader]
    capture: Path | None = None


def find_inputs(paths: Sequence[str]) -> list[Input]:
    """The files that ``paths`` mean, in the order given, those of a folder or glob sorted by name.

    Raises ``InputError``.
    """
    if not paths:
        raise InputError("no input given: name files, folders, globs or URIs")
    found: dict[str, Input] = {}
    for path in paths:
        inputs = list(_remote(path) if "://" in path else _local(path))
        if not inputs:
            raise InputError(f"{path}: holds no files")
        for each in inputs:
            # The raw store may hold what one address gave at several times.
            found.setdefault(str(each.capture or each.uri), each)
    return list(found.values())


def check_local(paths: Sequence[str]) -> None:
    """Raise ``InputError`` for a path of this machine that is not there, before models and servers are loaded."""
    for path in paths:
        if "://" not in path:
            next(_local(path), None)


def _local(path: str) -> Iterator[Input]:
    if os.path.exists(path):
        names = [path]
    elif glob.has_magic(path):
        names = sorted(glob.glob(path, recursive=True))
        if not names:
            raise InputError(f"{path}: no file matches")
    else:
        raise InputError(f"{path}: no such file or folder")
    for name in names:
        yield from _files_in(Path(name))


def _files_in(path: Path) -> Iterator[Input]:
    if path.is_file():
        yield _captured(path.parent) or _file(path)
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        capture = _captured(Path(folder)) if RECORD in files else None
        if capture:
            yield capture
            continue
        # Sockets and pipes would block a read for ever.
        yield from (
            _file(Path(folder, name)) for name in sorted(files) if not is_hidden(name) and Path(folder, name).is_file()
        )


def _file(path: Path) -> Input:
    return Input(str(path), path.name, partial(_open_local, path))


def _captured(folder: Path) -> Input | None:
    """The file that was captured in ``folder``, under the address that it came from."""
    capture = read_capture(folder) if (folder / RECORD).is_file() else None
    if capture is None:
        return None
    return Input(capture.uri, capture.file, partial(_open_local, folder / capture.file), folder)


def _open_local(path: Path) -> io.BufferedReader:
    return path.open("rb")


def _remote(uri: str) -> Iterator[Input]:
    try:
        system, path = fsspec.core.url_to_fs(uri)
        if uri.split("://", 1)[0] in UNLISTABLE:
            yield Input(
                uri, PurePosixPath(path.split("?", 1)[0].split("#", 1)[0]).name, partial(_open_remote, system, path)
            )
            return
        if glob.has_magic(path) and not system.exists(path):
            files = sorted(name for name in system.glob(path) if system.isfile(name))
        elif system.isdir(path):
            inside = len(str(path).rstrip("/")) + 1
            files = sorted(name for name in system.find(path) if not is_hidden(name[inside:]))
        elif system.exists(path):
            files = [path]
        else:
            raise InputError(f"{uri}: no such file or folder")
    except (OSError, ImportError, ValueError) as error:
        raise error if isinstance(error, InputError) else InputError(f"{uri}: {error}") from error
    for name in files:
        yield Input(system.unstrip_protocol(name), PurePosixPath(name).name, partial(_open_remote, system, name))


def _open_remote(system: fsspec.AbstractFileSystem, path: str) -> io.BufferedReader:
    return buffered(system.open(path, "rb"))
