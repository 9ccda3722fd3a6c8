"""A web server on the loopback interface that misbehaves on demand, and what the tests of fetching share."""

from __future__ import annotations

import dataclasses
import gzip
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape

from pipeline.captures import Capture, read_capture
from pipeline.sources import FetchReport, fetch
from pipeline.sources.fetch import Surroundings
from pipeline.sources.source_list import FeedSource, Manners, Source

NOW = datetime(2025, 10, 6, 3, 30, tzinfo=UTC)
TLS = ssl.create_default_context()
LOOPBACK = "127.0.0.1/32"
STORY = "Tarn Motors will run six driverless vans between two depots in Perth from May, the company said on Tuesday."
#: No distance between requests, and the loopback interface allowed.
HASTY = Manners(seconds_between_requests=0, retries=2, max_bytes=200_000, allow_networks=(LOOPBACK,))
#: For servers that keep one waiting, so that a test of it takes a moment.
IMPATIENT = dataclasses.replace(HASTY, read_timeout=0.4, total_timeout=0.9)


def page(title: str, text: str = STORY) -> str:
    paragraphs = "".join(
        f"<p>{text} {sentence}</p>" for sentence in ("It did not name the customer.", "Tests end in June.")
    )
    return (
        f"<!doctype html><html lang=en><head><title>{title}</title></head><body><nav><a href=/>Home</a></nav>"
        f"<article><h1>{title}</h1>{paragraphs}</article></body></html>"
    )


def rss(*links: str, published: str = "Mon, 06 Oct 2025 01:15:00 GMT") -> str:
    items = "".join(
        f"<item><title>Story {n}</title><link>{escape(link)}</link><guid>{escape(link)}</guid>"
        f"<pubDate>{published}</pubDate><description>{STORY} Number {n}.</description></item>"
        for n, link in enumerate(links, 1)
    )
    channel = f"<channel><title>Example Wire</title>{items}</channel>"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0">{channel}</rss>'


def laughs(before: str = "", padding: str = "", encoding: str = "utf-8") -> str:
    """A feed of a kilobyte whose entities unfold to megabytes."""
    entities = "".join(f'<!ENTITY {chr(n + 1)} "{f"&{chr(n)};" * 10}">' for n in range(97, 107))
    doctype = f"""{before}<!DOCTYPE rss {padding}[<!ENTITY a "ha">{entities}]>"""
    item = "<item><title>&k;</title><link>/a</link></item>"
    return f"<?xml version='1.0' encoding='{encoding}'?>{doctype}<rss version='2.0'><channel>{item}</channel></rss>"


@dataclass
class Answer:
    body: str | bytes = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    then: Callable[[BaseHTTPRequestHandler], None] | None = None  # instead of the body


@dataclass
class Website:
    """Answers by path: one for always, or a list, one a request, the last one for ever. Counts what was asked."""

    address: str
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def __setitem__(self, path: str, answer: Answer | list[Answer] | str | bytes) -> None:
        self.answers[path] = Answer(answer, headers=HTML) if isinstance(answer, str | bytes) else answer

    def url(self, path: str) -> str:
        return self.address + path

    def times_asked(self, path: str) -> int:
        return self.asked.count(path)

    def answer(self, path: str) -> Answer:
        found = self.answers.get(path, Answer("not here", 404))
        if not isinstance(found, list):
            return found
        return found.pop(0) if len(found) > 1 else found[0]


HTML = {"Content-Type": "text/html; charset=utf-8"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site: Website = self.server.site  # type: ignore[attr-defined]
        site.asked.append(self.path)
        site.headers.append(dict(self.headers))
        site.times.append(time.monotonic())
        answer = site.answer(self.path)
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.then is None and answer.status != 304 and "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            if answer.then is not None:
                answer.then(self)
                self.close_connection = True
            elif answer.status != 304:
                self.wfile.write(body)
        except OSError:
            pass  # the client had enough

    def log_message(self, *_: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None: ...


def serving() -> Iterator[Website]:
    server = _Server(("127.0.0.1", 0), _Handler)
    site = server.site = Website(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()


def trickle(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, without end."""
    for _ in range(100):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.1)


def silence(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1)


def flood(handler: BaseHTTPRequestHandler) -> None:
    """Content without end, as fast as it is taken."""
    for _ in range(100_000):
        handler.wfile.write(b"news " * 10_000)


def bomb() -> bytes:
    return gzip.compress(b"\0" * 50_000_000)


class Sleeps(list[float]):
    """Instead of waiting: a list of the waits."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def fetched(
    raw: Path, *sources: Source, now: datetime = NOW, sleep: Callable[[float], None] | None = None
) -> FetchReport:
    return fetch(sources, raw, Surroundings(lambda: now, Sleeps() if sleep is None else sleep, tls=TLS), at_once=4)


def feed(site: Website, path: str = "/feed", **changes: object) -> FeedSource:
    return FeedSource("wire", site.url(path), **{"manners": HASTY, **changes})  # type: ignore[arg-type]


def captures(raw: Path, kind: str | None = None) -> list[Capture]:
    found = (read_capture(path.parent) for path in sorted(raw.glob("*/*/*/capture.json")))
    return [capture for capture in found if capture and kind in (None, capture.kind)]


def failures(report: FetchReport) -> Sequence[tuple[str, str]]:
    """Path and reason of each failure."""
    return [("/" + failure.url.partition("://")[2].partition("/")[2], failure.reason) for failure in report.failures]


def report_file(raw: Path) -> dict[str, object]:
    return json.loads((raw / ".fetch" / "report.json").read_text(encoding="utf-8"))
