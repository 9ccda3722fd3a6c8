"""Manners towards one host, whichever sources ask for it: pace, pauses it asked for, robots.txt.

In: the host or URL that is to be asked. Out: permission, after the wait that is due, or a ``FetchFailure``. Shared by
the threads of a fetch; it opens no connection itself, but is handed what does.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from protego import Protego

FailureReason = Literal[
    "address", "robots", "unresolved", "connection", "timeout", "truncated", "http_status", "redirects", "too_large",
    "content_type", "encoding", "rate_limited", "host_down", "unreadable", "missing", "changed", "no_driver", "failed",
]  # fmt: skip

ROBOTS_NAME = "roadwire"
#: RFC 9309 asks to read 500 KiB at least.
ROBOTS_BYTES = 512_000
#: A Crawl-delay of minutes means a site that does not want to be read in one night.
MAX_CRAWL_DELAY = 30.0
#: Requests to a host that failed in a row, retries not counted, after which it is left alone until the next run.
FAILURES_IN_A_ROW = 3


class FetchFailure(Exception):
    """Something that could not be fetched.

    ``retry``: a second attempt may help; ``wait``: seconds that the server asked for; ``permanent``: the next run need
    not try either; ``host``: the one that was asked when it failed, where redirects may have led to another.
    """

    host: str | None = None

    def __init__(
        self, reason: FailureReason, why: str, *, retry: bool = False, wait: float = 0.0, permanent: bool = False
    ) -> None:
        super().__init__(why)
        self.reason: FailureReason = reason
        self.why = why
        self.retry = retry
        self.wait = wait
        self.permanent = permanent


@dataclass(slots=True)
class _Host:
    next_turn: float = 0.0  # time.monotonic()
    paused_until: float = 0.0  # the same; as the host asked
    interval: float = 0.0  # seconds that its robots.txt asks for
    failures: int = 0


@dataclass(slots=True)
class Hosts:
    """The hosts of one run. ``sleep``: how to wait."""

    sleep: Callable[[float], None] = time.sleep
    _hosts: dict[str, _Host] = field(default_factory=lambda: defaultdict(_Host))
    _robots: dict[str, Protego | FetchFailure] = field(default_factory=dict)
    _asking: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take_turn(self, host: str, interval: float, max_wait: float) -> None:
        """Wait until ``host`` may be asked again. Raises ``FetchFailure`` where it is not to be asked in this run."""
        with self._lock:
            state = self._hosts[host]
            if state.failures >= FAILURES_IN_A_ROW:
                raise FetchFailure("host_down", f"{state.failures} requests to {host} failed in a row; left alone")
            now = time.monotonic()
            if state.paused_until - now > max_wait:
                left = state.paused_until - now
                raise FetchFailure("rate_limited", f"{host} asked to be left alone for {left:,.0f} s")
            turn = max(now, state.next_turn, state.paused_until)
            state.next_turn = turn + max(interval, state.interval)
        if turn > now:
            self.sleep(turn - now)

    def pause(self, host: str, seconds: float) -> None:
        """Leave ``host`` alone for so long, as it asked."""
        with self._lock:
            state = self._hosts[host]
            state.paused_until = max(state.paused_until, time.monotonic() + seconds)

    def answered(self, host: str) -> None:
        """A request to ``host`` had an answer."""
        with self._lock:
            self._hosts[host].failures = 0

    def failed(self, host: str) -> None:
        """A request to ``host`` failed, retries included."""
        with self._lock:
            self._hosts[host].failures += 1

    def check_robots(self, url: str, fetch_robots: Callable[[str], str | None]) -> None:
        """Raises ``FetchFailure`` where robots.txt forbids ``url``.

        ``fetch_robots`` gives the text at a URL, None where there is none (RFC 9309: then all is allowed), or raises
        ``FetchFailure`` where it cannot be had (then nothing is allowed, for now).
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            lock = self._asking[origin]
        with lock:
            if origin not in self._robots:
                self._robots[origin] = self._ask(origin, parts.netloc, fetch_robots)
        rules = self._robots[origin]
        if isinstance(rules, FetchFailure):
            raise FetchFailure(rules.reason, f"{origin}/robots.txt: {rules.why}", permanent=rules.permanent)
        if not rules.can_fetch(url, ROBOTS_NAME):
            raise FetchFailure("robots", f"robots.txt of {parts.netloc} forbids it", permanent=True)

    def _ask(self, origin: str, host: str, fetch_robots: Callable[[str], str | None]) -> Protego | FetchFailure:
        try:
            rules = Protego.parse(fetch_robots(f"{origin}/robots.txt") or "")
        except FetchFailure as failure:
            return failure
        with self._lock:
            self._hosts[host].interval = min(rules.crawl_delay(ROBOTS_NAME) or 0.0, MAX_CRAWL_DELAY)
        return rules
