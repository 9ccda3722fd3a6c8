"""``sources.toml``: where news comes from, and how politely it is fetched.

In: the path of the file. Out: ``SourceList``. A key that is not known, a value of the wrong type, a source without its
address: each is a ``SourcesError`` that names file, source and key. Nothing is contacted here.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pipeline

#: The name of a source becomes the name of a folder.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")
_TYPES: dict[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of texts",
    dict: "a table",
}  # fmt: skip

FileKind = Literal["folder", "glob", "object_store"]


class SourcesError(ValueError):
    """A list of sources that cannot be used; the message names file, source and key."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a source is fetched. Times in seconds, sizes in bytes of the content."""

    user_agent: str = f"roadwire/{pipeline.__version__}"
    seconds_between_requests: float = 1.0  # to one host; a longer Crawl-delay in its robots.txt counts more
    connect_timeout: float = 10.0
    read_timeout: float = 30.0  # between two pieces of an answer
    total_timeout: float = 120.0  # of one answer; that of a file of max_file_bytes is total_file_timeout
    total_file_timeout: float = 7200.0
    retries: int = 3  # after the first attempt
    max_wait: float = 120.0  # the longest Retry-After that is waited for; beyond it the next run tries again
    max_redirects: int = 5
    max_bytes: int = 20_000_000  # of a page, a feed or a list
    max_file_bytes: int = 5_000_000_000  # of a file, or a WARC
    robots: bool = True  # obey robots.txt
    allow_networks: tuple[str, ...] = ()  # private networks that may be contacted, such as "10.20.0.0/16"


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files of a folder, a glob, or a prefix or glob of an object store."""

    name: str
    kind: FileKind
    uri: str
    publisher: str | None = None
    max_files: int = 0  # in one run; 0 for all
    options: dict[str, Any] = field(default_factory=dict)  # for the file system, see fsspec
    manners: Manners = field(default_factory=Manners)


@dataclass(frozen=True, slots=True)
class FeedSource:
    """An RSS or Atom feed; ``pages``: with the pages that its entries link to, instead of their summaries."""

    name: str
    url: str
    publisher: str | None = None
    pages: bool = True
    max_pages: int = 200  # in one run, 0 for all; the others wait for the next
    manners: Manners = field(default_factory=Manners)


@dataclass(frozen=True, slots=True)
class WarcListSource:
    """A list of WARC files, a path a line, as Common Crawl publishes them; ``base`` goes before each path."""

    name: str
    uri: str
    base: str | None = None
    publisher: str | None = None
    max_files: int = 10  # in one run, 0 for all; the others wait for the next
    manners: Manners = field(default_factory=Manners)


Source = FileSource | FeedSource | WarcListSource


@dataclass(frozen=True, slots=True)
class SourceList:
    """``at_once``: sources that are fetched at the same time."""

    sources: tuple[Source, ...]
    at_once: int = 8

    def named(self, names: typing.Sequence[str]) -> tuple[Source, ...]:
        """The sources of these names, all for none. Raises ``SourcesError`` for a name that is not in the list."""
        known = {source.name: source for source in self.sources}
        for name in names:
            if name not in known:
                raise SourcesError(f"no source is named {name}{_nearest(name, known)}")
        return tuple(known[name] for name in dict.fromkeys(names)) if names else self.sources


#: kind -> the keys that a source of it must have and those that it may have, each with its type.
_KEYS: dict[str, tuple[dict[str, type], dict[str, type]]] = {
    "folder": ({"path": str}, {"max_files": int}),
    "glob": ({"path": str}, {"max_files": int}),
    "object_store": ({"uri": str}, {"max_files": int, "options": dict}),
    "feed": ({"url": str}, {"pages": bool, "max_pages": int}),
    "warc_list": ({"uri": str}, {"base": str, "max_files": int}),
}
_MANNERS: dict[str, type] = {name: type(value) for name, value in dataclasses.asdict(Manners()).items()}
_POSITIVE = ("connect_timeout", "read_timeout", "total_timeout", "total_file_timeout", "max_bytes", "max_file_bytes")


def load_sources(path: Path | str) -> SourceList:
    """Read the list at ``path``; relative paths in it start from its folder. Raises ``SourcesError``."""
    path = Path(path)
    values = _read(path)
    where = str(path)
    _known(values, {"fetch", "sources"}, f"{where}: unknown section")
    shared = _table(values.get("fetch", {}), f"{where}: [fetch]")
    at_once = _typed(shared.pop("at_once", 8), int, f"{where}: fetch.at_once")
    if at_once < 1:
        raise SourcesError(f"{where}: fetch.at_once must be 1 or more, not {at_once}")
    shared = _manners(shared, f"{where}: fetch")
    tables = _table(values.get("sources", {}), f"{where}: [sources]")
    if not tables:
        raise SourcesError(f"{where}: lists no sources; add a section such as [sources.my-feed]")
    folded: dict[str, str] = {}
    for name in tables:
        # Some file systems do not tell the letter case of names apart.
        if (other := folded.setdefault(name.casefold(), name)) != name:
            raise SourcesError(f"{where}: sources.{name} and sources.{other} differ in letter case only")
    made = (_source(name, table, shared, where, path.parent) for name, table in tables.items())
    return SourceList(tuple(made), at_once)


def _source(name: str, value: Any, shared: dict[str, Any], file: str, folder: Path) -> Source:
    where = f"{file}: sources.{name}"
    if not NAME.fullmatch(name):
        raise SourcesError(f"{where}: a name has up to 80 letters, digits, '.', '_' and '-', a letter or digit first")
    table = _table(value, where)
    kind = _typed(table.pop("kind", None), str, f"{where}.kind") if "kind" in table else None
    if kind not in _KEYS:
        given = f"{kind!r} is none" if kind else "it has none"
        raise SourcesError(f"{where}: kind must be one of {', '.join(_KEYS)}; {given}")
    required, optional = _KEYS[kind]
    own = {"publisher": str, **required, **optional}
    _known(table, {*own, *_MANNERS}, f"{where}: unknown key", f" for a {kind}")
    keys = {key: _typed(table[key], own[key], f"{where}.{key}") for key in own if key in table}
    for key in required:
        if not keys.get(key, "").strip():
            raise SourcesError(f"{where}: a {kind} needs {key}")
    for key in ("max_files", "max_pages"):
        if keys.get(key, 0) < 0:
            raise SourcesError(f"{where}.{key} must be 0 or more, not {keys[key]}")
    stated = _manners({key: value for key, value in table.items() if key in _MANNERS}, where)
    manners = Manners(**{**shared, **stated})
    if kind == "feed":
        _web(keys["url"], f"{where}.url")
        return FeedSource(name, manners=manners, **keys)
    if kind == "warc_list":
        keys["uri"] = _located(keys["uri"], folder)
        if "base" in keys:
            keys["base"] = _located(keys["base"], folder)
        return WarcListSource(name, manners=manners, **keys)
    uri = _located(keys.pop("path"), folder) if kind != "object_store" else keys.pop("uri")
    if kind == "object_store" and uri.partition("://")[0] not in OBJECT_STORES:
        raise SourcesError(f"{where}.uri must begin with s3://, gs:// or az://, not {uri!r}")
    if kind != "object_store" and "://" in uri:
        raise SourcesError(f"{where}.path must be a path on this machine, not {uri!r}; see object_store")
    return FileSource(name, typing.cast(FileKind, kind), uri, manners=manners, **keys)


def _manners(values: dict[str, Any], where: str) -> dict[str, Any]:
    _known(values, {*_MANNERS, "at_once"} if where.endswith("fetch") else set(_MANNERS), f"{where}: unknown key")
    manners = {key: _typed(value, _MANNERS[key], f"{where}.{key}") for key, value in values.items()}
    for key, value in manners.items():
        if key in _POSITIVE and value <= 0:
            raise SourcesError(f"{where}.{key} must be more than 0, not {value}")
        if isinstance(value, int | float) and value < 0:
            raise SourcesError(f"{where}.{key} must be 0 or more, not {value}")
    agent = manners.get("user_agent", "roadwire")
    if not agent.strip() or not (agent.isascii() and agent.isprintable()):
        raise SourcesError(f"{where}.user_agent must be a line of ASCII characters, not {agent!r}")
    for network in manners.get("allow_networks", ()):
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise SourcesError(f"{where}.allow_networks: {error}") from error
    return manners


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourcesError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourcesError(f"{path}: not valid TOML ({error})") from error


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SourcesError(f"{where} must be a table")
    return dict(value)


def _typed(value: Any, kind: type, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise SourcesError(f"{where} must be {_TYPES[kind]}, not {value!r}")


def _known(values: dict[str, Any], known: set[str], said: str, after: str = "") -> None:
    for key in values:
        if key not in known:
            raise SourcesError(f"{said} {key}{after}{_nearest(key, known)}")


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"


def _web(url: str, where: str) -> None:
    if not url.lower().startswith(("http://", "https://")):
        raise SourcesError(f"{where} must begin with http:// or https://, not {url!r}")


def _located(path: str, folder: Path) -> str:
    """``path`` as it is where it is a URI, else from ``folder`` on."""
    return path if "://" in path else str(folder.absolute() / Path(path).expanduser())
