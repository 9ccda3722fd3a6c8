"""Files of folders, globs and object stores, and WARC files that a list names.

In: a file source or a WARC list. Out: a capture of each file that is new, or that changed since it was copied. Files
are copied, so that a run can be repeated after the folder was emptied. Nothing is opened or unpacked here.
"""

from __future__ import annotations

import glob
import gzip
import io
import re
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

import fsspec

from pipeline.captures import Capture, Entry
from pipeline.sources.hosts import FetchFailure
from pipeline.sources.http_client import Response
from pipeline.sources.raw_store import Draft, RawStoreError
from pipeline.sources.session import Session, told
from pipeline.sources.source_list import OBJECT_STORES, FileSource, WarcListSource
from pipeline.sources.state import Link, Resource

#: What stores say about a file that changes with its content, best first.
DIGESTS = ("ETag", "etag", "md5Hash", "content_md5", "VersionId", "version_id")
TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
MAX_LINKS = 1_000_000


def fetch_files(source: FileSource, session: Session) -> None:
    """Copy the files of a folder, glob or object store that are new."""
    try:
        system, root = _connected(source.uri, source.options)
        found = list(_listed(system, root, source.kind == "glob"))
    except FetchFailure as failure:
        session.fail(source.uri, failure)
        return
    for path, info in found:
        uri = path if source.kind != "object_store" else system.unstrip_protocol(path)
        version = _version(info)
        if session.state.resource(source.name, uri).version == version:
            session.report.known += 1
        elif source.max_files and session.report.new >= source.max_files:
            session.report.waiting += 1
        else:
            _fetch_file(source, system, path, uri, info, session)


def fetch_warc_list(source: WarcListSource, session: Session) -> None:
    """Fetch a list of WARC files, and those of it that wait."""
    try:
        _fetch_list(source, session)
    except FetchFailure as failure:
        session.fail(source.uri, failure)
    for link in session.state.waiting(source.name)[: source.max_files or None]:
        _fetch_warc(source, link, session)
    session.report.waiting = len(session.state.waiting(source.name))


def _connected(uri: str, options: dict[str, Any]) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        # Stores keep listings in memory; a process that fetches twice would not see what is new.
        system, root = fsspec.core.url_to_fs(uri, **options)
        system.invalidate_cache()
        return system, root
    except ImportError as error:
        raise FetchFailure("no_driver", str(error)) from error
    except Exception as error:  # drivers raise whatever they like, also for wrong options
        raise FetchFailure("connection", told(error)) from error


def _listed(system: fsspec.AbstractFileSystem, root: str, is_glob: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files below ``root`` with what the store says of each, in the order of their names."""
    try:
        if glob.has_magic(root) and (is_glob or not system.exists(root)):
            found = system.glob(root, detail=True)
        elif system.exists(root):
            found = system.find(root, detail=True)
        else:
            raise FetchFailure("missing", "no such file or folder")
    except FetchFailure:
        raise
    except Exception as error:
        raise FetchFailure("connection", f"it cannot be listed: {told(error)}") from error
    inside = len(root.rstrip("/")) if not is_glob and not glob.has_magic(root) else None
    for path in sorted(found):
        info = found[path]
        shown = path.rpartition("/")[2] if inside is None else path[inside:]
        hidden = any(part.startswith(".") for part in shown.split("/"))
        if info.get("type", "file") == "file" and not hidden:
            yield path, info


def _version(info: dict[str, Any]) -> str:
    """A text that changes when the content of the file does."""
    digest = next((str(info[name]) for name in DIGESTS if info.get(name)), None)
    changed = next((str(info[name]) for name in TIMES if info.get(name)), "")
    return digest or f"{info.get('size')} {changed}"


def _fetch_file(
    source: FileSource,
    system: fsspec.AbstractFileSystem,
    path: str,
    uri: str,
    info: dict[str, Any],
    session: Session,
) -> None:
    version = _version(info)
    try:
        with session.store.draft() as draft:
            session.copy(system, path, draft, info.get("size"))
            if source.kind != "object_store" and _version(system.info(path)) != version:
                raise FetchFailure("changed", "it changed while it was read")
            before = session.state.resource(source.name, uri)
            if before.sha256 == draft.sha256:  # touched, or uploaded again, without a change
                session.state.remember(source.name, uri, Resource(version=version, sha256=draft.sha256))
                session.report.known += 1
                return
            capture = Capture(
                source=source.name,
                kind="file",
                uri=uri,
                file=PurePosixPath(path).name,
                fetched_at=session.stamp(),
                sha256=draft.sha256,
                size=draft.size,
                publisher=source.publisher,
                version=version,
            )
            session.state.learn([session.keep(draft, capture)])
            session.report.new += 1
    except FetchFailure as failure:
        session.fail(uri, failure)
    except OSError:
        session.fail(uri, FetchFailure("missing", "it is gone"))
    except (RawStoreError, sqlite3.Error):
        raise  # trouble of the machine
    except Exception as error:  # drivers raise whatever they like
        session.fail(uri, FetchFailure("failed", told(error)))


def _fetch_list(source: WarcListSource, session: Session) -> None:
    before = session.state.resource(source.name, source.uri)
    with session.guarded(), session.store.draft() as draft:
        response = _receive(source.uri, draft, before.validators, session)
        if response is not None and response.not_modified:
            return
        links = [
            Entry(number, url, url)
            for number, url in enumerate(_links(draft.content(), source, session.manners.max_bytes), 1)
        ]
        if draft.sha256 != before.sha256:
            name = PurePosixPath(urlsplit(source.uri).path).name or "list.txt"
            session.keep(draft, _capture(source, "list", source.uri, name, response, session, items=()))
        etag, modified = (response.header("etag"), response.header("last-modified")) if response else (None, None)
        session.state.remember(source.name, source.uri, Resource(etag, modified, None, draft.sha256), links)


def _links(content: bytes, source: WarcListSource, max_bytes: int) -> list[str]:
    """The addresses that a list names. Raises ``FetchFailure`` where it is no list."""
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(content)) as stream:
                content = stream.read(max_bytes + 1)
            if len(content) > max_bytes:
                raise FetchFailure("too_large", f"the list has more than {max_bytes:,} bytes", permanent=True)
        lines = [line.strip() for line in content.decode("utf-8").splitlines()]
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise FetchFailure("unreadable", f"it is no list of files ({told(error)})") from error
    links = [_joined(source, line) for line in lines if line and not line.startswith("#")]
    if len(links) > MAX_LINKS or any(len(link) > 2_000 or "<" in link or "\0" in link for link in links):
        raise FetchFailure("unreadable", "it is no list of files, a path a line")
    if "://" in source.uri and not all(_is_below(link, source) for link in links):
        why = "a list from elsewhere may name http and https addresses, and files of an object store below base"
        raise FetchFailure("unreadable", why)
    return links


def _is_below(link: str, source: WarcListSource) -> bool:
    """Whether a list from elsewhere may name ``link``.

    Whoever writes the list would otherwise read this machine's files, or the operator's own buckets.
    """
    if link.lower().startswith(("http://", "https://")):
        return True
    scheme, _, root = (source.base or source.uri.rpartition("/")[0]).partition("://")
    root = root.strip("/")
    if scheme.lower() not in OBJECT_STORES or not root or not link.startswith(f"{scheme}://{root}/"):
        return False
    # Some drivers resolve ".." and backslashes, and "::" begins another address (fsspec's chained URLs).
    rest = link[len(scheme) + 3 :]
    return not {".", ".."} & set(re.split(r"[/\\]", rest)) and "::" not in rest


def _joined(source: WarcListSource, line: str) -> str:
    if "://" in line:
        return line
    if source.base is not None:
        return f"{source.base.rstrip('/')}/{line.lstrip('/')}"
    if source.uri.lower().startswith(("http://", "https://")):
        return urljoin(source.uri, line)
    return line if line.startswith("/") else f"{source.uri.rpartition('/')[0]}/{line}"


def _fetch_warc(source: WarcListSource, link: Link, session: Session) -> None:
    try:
        with session.guarded(), session.store.draft() as draft:
            response = _receive(link.url, draft, {}, session, as_file=True)
            name = PurePosixPath(urlsplit(link.url).path).name or "content.warc"
            session.state.learn([session.keep(draft, _capture(source, "warc", link.url, name, response, session))])
            session.report.new += 1
    except FetchFailure as failure:
        session.give_up(link, failure)


def _receive(
    uri: str, draft: Draft, validators: dict[str, str], session: Session, as_file: bool = False
) -> Response | None:
    """Fetch over HTTP, or copy from a file system (None: no response)."""
    if uri.lower().startswith(("http://", "https://")):
        return session.get(uri, draft, validators, as_file=as_file)
    system, path = _connected(uri, {})
    session.copy(system, path, draft, None)
    return None


def _capture(
    source: WarcListSource,
    kind: Any,
    uri: str,
    name: str,
    response: Response | None,
    session: Session,
    items: tuple[int, ...] | None = None,
) -> Capture:
    return Capture(
        source=source.name,
        kind=kind,
        uri=uri,
        file=name,
        fetched_at=session.stamp(),
        sha256="",
        size=0,
        publisher=source.publisher,
        url=response.url if response else None,
        status=response.status if response else None,
        headers=response.headers if response else (),
        redirects=response.redirects if response else (),
        items=items,
    )
