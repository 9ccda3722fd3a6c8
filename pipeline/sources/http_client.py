"""HTTP: one URL in, its content in a draft of the raw store, bounded in time, size and redirects.

In: a URL and what is known of it from last time (validators). Out: ``Response``; the content, any gzip undone, is in
the draft. What goes wrong is a ``FetchFailure`` with a reason of a fixed vocabulary. Addresses are checked by
``pipeline.sources.addresses``, pace and robots.txt by ``pipeline.sources.hosts``. It takes no cookies and no proxy,
sends no credentials, and looks at no content.
"""

from __future__ import annotations

import random
import ssl
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import httpcore
import httpx

from pipeline.sources.addresses import CheckedBackend, RefusedAddress, Resolve
from pipeline.sources.hosts import ROBOTS_BYTES, FetchFailure, Hosts
from pipeline.sources.source_list import Manners

REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: The server may answer differently a little later.
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
#: The page is not there, or not for us; asking again would be rude.
PERMANENT = frozenset({400, 401, 402, 403, 404, 405, 406, 410, 414, 451})
#: Answers that hold no content.
EMPTY = frozenset({204, 205})
#: Pauses between attempts: this times 2, 4, 8 … at most ``MAX_PAUSE``, and half of it by chance, so that many clients
#: that failed together do not come back together.
FIRST_PAUSE = 1.0
MAX_PAUSE = 60.0
CHUNK_BYTES = 65_536
MAX_URL = 4_000
#: How a member of a gzip begins (RFC 1952); anything else after the end of one is padding.
MEMBER = b"\x1f\x8b"


class Sink(Protocol):
    """What takes the content."""

    def write(self, data: bytes) -> None:
        """Take the next piece."""

    def restart(self) -> None:
        """Forget what was written."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. ``url``: where redirects led; ``not_modified``: 304, and the sink is empty."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    redirects: tuple[str, ...]

    @property
    def not_modified(self) -> bool:
        return self.status == 304

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def media_type(self) -> str:
        """Of the content, lower case, without parameters; empty where the server names none."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()


class Client:
    """Fetches for one source, in one thread. ``now`` tells the time, for Retry-After as a date."""

    def __init__(
        self,
        manners: Manners,
        hosts: Hosts,
        now: Callable[[], datetime],
        resolver: Resolve,
        tls: ssl.SSLContext,
    ) -> None:
        self._manners = manners
        self._hosts = hosts
        self._now = now
        self._backend = CheckedBackend(manners.allow_networks, resolver)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=4,
            keepalive_expiry=15,
            network_backend=self._backend,
        )

    def close(self) -> None:
        self._pool.close()

    def get(
        self,
        url: str,
        sink: Sink,
        *,
        max_bytes: int,
        timeout: float,
        validators: dict[str, str] | None = None,
        media_types: Collection[str] | None = None,
    ) -> Response:
        """Fetch ``url`` into ``sink``. Raises ``FetchFailure``, and what the sink raises.

        ``validators``: If-None-Match and If-Modified-Since. ``media_types``: those that are wanted; a server that
        names none is believed to send one of them.
        """
        first = _host(url)
        for attempt in range(self._manners.retries + 1):
            try:
                sink.restart()
                response = self._follow(url, sink, max_bytes, timeout, validators or {}, media_types)
                for answered in {_host(each) for each in (*response.redirects, response.url)}:
                    self._hosts.answered(answered)
                return response
            except FetchFailure as failure:
                host = failure.host or first
                if not failure.retry:
                    if failure.reason == "http_status":
                        self._hosts.answered(host)
                    raise
                if failure.wait > self._manners.max_wait:
                    why = f"{failure.why}; it asks to wait {failure.wait:,.0f} s, the next run tries again"
                    raise FetchFailure("rate_limited", why) from failure
                if attempt == self._manners.retries:
                    self._hosts.failed(host)
                    raise FetchFailure(failure.reason, f"{failure.why} ({attempt + 1} attempts)") from failure
                self._hosts.sleep(max(failure.wait, pause(attempt)))
        raise AssertionError("unreachable")

    def _follow(
        self,
        url: str,
        sink: Sink,
        max_bytes: int,
        timeout: float,
        validators: dict[str, str],
        media_types: Collection[str] | None,
        check_robots: bool = True,
    ) -> Response:
        seen: list[str] = []
        deadline = time.monotonic() + timeout
        while True:
            target = _parsed(url)
            if check_robots and self._manners.robots:
                begun = time.monotonic()
                self._hosts.check_robots(str(target), self._robots_text)
                deadline += time.monotonic() - begun
            begun = time.monotonic()
            host = target.netloc.decode("ascii")
            self._hosts.take_turn(host, self._manners.seconds_between_requests, self._manners.max_wait)
            deadline += time.monotonic() - begun  # waiting for one's turn is no fault of the server
            self._backend.deadline = deadline
            try:
                with self._answer(target, validators) as (answer, headers):
                    response = Response(str(target), answer.status, headers, tuple(seen))
                    if answer.status not in REDIRECTS:
                        self._receive(answer, response, host, sink, max_bytes, media_types)
                        return response
            except FetchFailure as failure:
                failure.host = host
                raise
            url = _redirected(target, response, [*seen, str(target)], self._manners.max_redirects)
            seen.append(str(target))

    @contextmanager
    def _answer(
        self, target: httpx.URL, validators: dict[str, str]
    ) -> Iterator[tuple[httpcore.Response, tuple[tuple[str, str], ...]]]:
        """Send a GET; errors while it is open become ``FetchFailure``."""
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("Host", target.netloc),
            ("User-Agent", self._manners.user_agent),
            ("Accept", "*/*"),
            ("Accept-Encoding", "gzip"),
            *((name, value.encode("latin-1", "replace")) for name, value in validators.items()),
        ]
        timeouts = {
            "connect": self._manners.connect_timeout,
            "read": self._manners.read_timeout,
            "write": self._manners.read_timeout,
            "pool": self._manners.connect_timeout,
        }
        # Anything else than http and https was refused where the URL was parsed.
        location = httpcore.URL(
            scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
        )
        try:
            with self._pool.stream("GET", location, headers=headers, extensions={"timeout": timeouts}) as answer:
                told = ((k.decode("latin-1"), v.decode("latin-1")) for k, v in answer.headers)
                yield answer, tuple((k, v) for k, v in told if k.lower() not in ("set-cookie", "set-cookie2"))
        except RefusedAddress as error:
            raise FetchFailure("address", f"{error} (see allow_networks)", permanent=True) from error
        except httpcore.TimeoutException as error:
            raise FetchFailure("timeout", str(error) or "no answer in time", retry=True) from error
        except httpcore.RemoteProtocolError as error:
            raise FetchFailure("truncated", f"the answer breaks off or is no HTTP: {error}", retry=True) from error
        except httpcore.ConnectError as error:
            reason = "unresolved" if "cannot be resolved" in str(error) else "connection"
            raise FetchFailure(reason, str(error), retry=True) from error  # type: ignore[arg-type]
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise FetchFailure("connection", str(error) or type(error).__name__, retry=True) from error
        except zlib.error as error:
            raise FetchFailure("encoding", f"the gzip of the answer is damaged: {error}", retry=True) from error

    def _receive(
        self,
        answer: httpcore.Response,
        response: Response,
        host: str,
        sink: Sink,
        max_bytes: int,
        media_types: Collection[str] | None,
    ) -> None:
        if response.not_modified:
            return
        if response.status != 200:
            self._refuse(response, host)
        if media_types is not None and response.media_type and response.media_type not in media_types:
            raise FetchFailure("content_type", f"it is {response.media_type[:80]}", permanent=True)
        too_large = FetchFailure("too_large", f"it has more than {max_bytes:,} bytes", permanent=True)
        length = response.header("content-length") or ""
        if _is_number(length) and int(length[:20]) > max_bytes:
            raise too_large
        size = 0
        for chunk in _decoded(answer.iter_stream(), response.header("content-encoding"), max_bytes):
            size += len(chunk)
            if size > max_bytes:
                raise too_large
            sink.write(chunk)

    def _refuse(self, response: Response, host: str) -> None:
        status = response.status
        wait = retry_after(response.header("retry-after"), self._now()) if status in (429, 503) else 0.0
        if wait:
            self._hosts.pause(host, wait)
        raise FetchFailure(
            "http_status",
            f"HTTP status {status}" + (", no content" if status in EMPTY else ""),
            retry=status in TEMPORARY,
            wait=wait,
            permanent=status in PERMANENT or status in EMPTY,
        )

    def _robots_text(self, url: str) -> str | None:
        """robots.txt; None where the server has none. One retry, so that a dead host does not hold up a run."""
        for attempt in range(2):
            text = _Memory()
            try:
                timeout = min(self._manners.total_timeout, 30.0)
                self._follow(url, text, ROBOTS_BYTES, timeout, {}, None, check_robots=False)
                return text.data.decode("utf-8", "replace")
            except FetchFailure as failure:
                if failure.reason == "too_large":  # what fits counts
                    return text.data.decode("utf-8", "replace")
                if failure.reason == "http_status" and not failure.retry:
                    return None
                if failure.reason == "redirects":
                    return None  # RFC 9309: as if there were none
                if not failure.retry or attempt or failure.wait > self._manners.max_wait:
                    raise
                self._hosts.sleep(max(failure.wait, pause(attempt)))
        raise AssertionError("unreachable")


class _Memory:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def restart(self) -> None:
        self.data = b""


def pause(attempt: int) -> float:
    """Seconds to wait after attempt number ``attempt``, from 0: exponential, half of it by chance."""
    longest = min(FIRST_PAUSE * 2**attempt, MAX_PAUSE)
    return longest / 2 + random.uniform(0, longest / 2)


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds that a Retry-After header asks for, given as such or as a date; 0 where it says nothing."""
    if not value:
        return 0.0
    if _is_number(value.strip()):
        return float(value.strip()[:9])
    try:
        until = parsedate_to_datetime(value)
        until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


def _is_number(text: str) -> bool:
    """Whether ``text`` is ASCII digits; a superscript two is a digit to Python, and no number."""
    return text.isascii() and text.isdigit()


def _host(url: str) -> str:
    """Host and port of ``url``, as ``Hosts`` knows them. Raises ``FetchFailure`` for what is no web address."""
    return _parsed(url).netloc.decode("ascii")


def _parsed(url: str) -> httpx.URL:
    """``url`` with its host in ASCII and its path escaped. Raises ``FetchFailure`` for what is no web address."""
    try:
        if len(url) > MAX_URL:
            raise ValueError("longer than any address")
        parsed = httpx.URL(url).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise FetchFailure("address", f"no web address: {url[:200]!r} ({error})", permanent=True) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise FetchFailure("address", f"no web address: {url[:200]!r}", permanent=True)
    if parsed.userinfo:
        raise FetchFailure("address", f"an address with a user name, at {parsed.host}", permanent=True)
    return parsed


def _redirected(target: httpx.URL, response: Response, seen: list[str], most: int) -> str:
    location = response.header("location")
    if not location:
        raise FetchFailure("redirects", f"HTTP status {response.status} without a Location", permanent=True)
    try:
        url = str(_parsed(str(target.join(location))))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchFailure("address", f"redirected to no web address: {location[:200]!r}", permanent=True) from error
    if url in seen:
        raise FetchFailure("redirects", f"a redirect loop over {url}", permanent=True)
    if len(seen) > most:
        raise FetchFailure("redirects", f"more than {most} redirects", permanent=True)
    return url


def _decoded(chunks: Iterable[bytes], encoding: str | None, max_bytes: int) -> Iterator[bytes]:
    """The content without its gzip, in pieces that are small however much a small answer unfolds to."""
    coding = (encoding or "identity").strip().lower()
    if coding in ("", "identity"):
        yield from chunks
        return
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise FetchFailure("encoding", f"content encoding {coding[:40]}, which was not asked for", permanent=True)
    unpack = zlib.decompressobj(47)  # gzip or zlib, by its header
    begun, tail = False, b""
    for received in chunks:
        chunk, tail = tail + received, b""
        begun = begun or bool(chunk)
        while chunk:
            if unpack.eof:
                if len(chunk) < len(MEMBER):
                    tail = chunk  # until more of it is there
                    break
                if not chunk.startswith(MEMBER):
                    return  # padding
                unpack = zlib.decompressobj(47)
            yield unpack.decompress(chunk, CHUNK_BYTES)
            chunk = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    if begun and not unpack.eof:
        yield unpack.flush()
        if not unpack.eof:
            raise FetchFailure("truncated", "the gzip of the answer breaks off", retry=True)
