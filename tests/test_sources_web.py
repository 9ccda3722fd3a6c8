"""Fetching from a web server that does everything wrong: what is kept, what is told, how often it was asked."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from web_factories import (
    HASTY,
    HTML,
    IMPATIENT,
    NOW,
    STORY,
    TLS,
    Answer,
    Sleeps,
    Website,
    bomb,
    captures,
    failures,
    feed,
    fetched,
    flood,
    laughs,
    page,
    report_file,
    rss,
    serving,
    silence,
    trickle,
)  # fmt: skip

from pipeline.sources.addresses import is_allowed
from pipeline.sources.fetch import Surroundings, fetch
from pipeline.sources.http_client import pause, retry_after
from pipeline.sources.state import page_key


@pytest.fixture
def site() -> Iterator[Website]:
    yield from serving()


def linking(site: Website, *paths: str) -> None:
    """A feed that links to ``paths``; each that has no answer yet gets a page."""
    site["/feed"] = Answer(rss(*(site.url(path) for path in paths)), headers={"Content-Type": "application/rss+xml"})
    for path in paths:
        if path not in site.answers:
            site[path] = page(f"Story at {path}")


# --- what is kept ---


def test_a_page_is_kept_as_it_came_with_headers_and_digest(site: Website, tmp_path: Path) -> None:
    linking(site, "/vans")
    site["/vans"] = Answer(page("Vans"), headers={**HTML, "X-Desk": "cars", "Set-Cookie": "id=7"})
    report = fetched(tmp_path, feed(site, publisher="Example Wire Ltd"))
    assert (report.new, report.failures) == (1, [])
    (capture,) = captures(tmp_path, "page")
    (content,) = tmp_path.glob("wire/2025-10-06/*/page.html")
    assert content.read_text() == page("Vans")
    assert capture.sha256 == hashlib.sha256(content.read_bytes()).hexdigest()
    assert capture.size == content.stat().st_size
    assert (capture.uri, capture.status, capture.fetched) == (site.url("/vans"), 200, NOW)
    assert capture.header("x-desk") == "cars"
    assert capture.header("set-cookie") is None
    assert capture.publisher == "Example Wire Ltd"
    assert capture.entry
    assert (capture.entry.title, capture.entry.published) == ("Story 1", "Mon, 06 Oct 2025 01:15:00 GMT")


def test_compressed_answers_are_unpacked_once(site: Website, tmp_path: Path) -> None:
    linking(site, "/vans")
    site["/vans"] = Answer(gzip.compress(page("Vans").encode()), headers={**HTML, "Content-Encoding": "gzip"})
    assert fetched(tmp_path, feed(site)).failures == []
    (content,) = tmp_path.glob("wire/*/*/page.html")
    assert content.read_text() == page("Vans")


def test_where_redirects_led_is_kept(site: Website, tmp_path: Path) -> None:
    linking(site, "/go")
    site["/go"] = Answer(status=302, headers={"Location": "/vans?edition=uk"})
    site["/vans?edition=uk"] = page("Vans")
    fetched(tmp_path, feed(site))
    (capture,) = captures(tmp_path, "page")
    assert (capture.uri, capture.url) == (site.url("/go"), site.url("/vans?edition=uk"))
    assert capture.redirects == (site.url("/go"),)


def test_addresses_outside_ascii_are_escaped(site: Website, tmp_path: Path) -> None:
    site["/f%C3%BCr%20alle?q=%C3%BC"] = page("Vans")
    site["/feed"] = Answer(rss(site.url("/für alle?q=ü")))
    assert fetched(tmp_path, feed(site)).new == 1


# --- once, and politely ---


def test_the_second_run_asks_for_the_feed_only_and_on_condition(site: Website, tmp_path: Path) -> None:
    linking(site, "/a", "/b")
    feed_answer = site.answer("/feed")
    feed_answer.headers |= {"ETag": '"v1"', "Last-Modified": "Sun, 05 Oct 2025 10:00:00 GMT"}
    first = fetched(tmp_path, feed(site))
    site["/feed"] = Answer(status=304)
    before = len(site.asked)
    second = fetched(tmp_path, feed(site), now=NOW + timedelta(days=1))
    assert (first.new, second.new, second.failures) == (2, 0, [])
    assert site.asked[before:] == ["/robots.txt", "/feed"]
    assert site.headers[-1]["If-None-Match"] == '"v1"'
    assert site.headers[-1]["If-Modified-Since"] == "Sun, 05 Oct 2025 10:00:00 GMT"
    assert len(captures(tmp_path)) == 3


def test_only_new_entries_are_fetched_from_a_feed_that_grew(site: Website, tmp_path: Path) -> None:
    linking(site, "/a")
    fetched(tmp_path, feed(site))
    linking(site, "/b", "/a")
    assert fetched(tmp_path, feed(site)).new == 1
    assert site.times_asked("/a") == site.times_asked("/b") == 1


def test_one_page_under_many_addresses_is_fetched_once(site: Website, tmp_path: Path) -> None:
    linking(site, "/a?id=7", "/a?utm_source=rss&id=7", "/a?id=7#comments", "/short")
    site["/short"] = Answer(status=301, headers={"Location": "/a?id=7"})
    report = fetched(tmp_path, feed(site), dataclasses.replace(feed(site), name="copy"))
    assert report.failures == []
    assert len(captures(tmp_path, "page")) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://example.com/a?utm_medium=rss", "https://example.com/a", True),
        ("https://example.com/a?b=2&a=1", "https://EXAMPLE.com:443/a?a=1&b=2#top", True),
        ("https://example.com/a?id=1", "https://example.com/a?id=2", False),
        ("https://example.com/a", "https://example.com/A", False),
    ],
)
def test_when_two_addresses_are_one_page(one: str, other: str, same: bool) -> None:
    assert (page_key(one) == page_key(other)) is same


def test_requests_to_one_host_keep_their_distance(site: Website, tmp_path: Path) -> None:
    linking(site, "/a", "/b", "/c")
    waits = Sleeps()
    manners = dataclasses.replace(HASTY, seconds_between_requests=60)
    fetched(tmp_path, feed(site, manners=manners), sleep=waits)
    # robots.txt, the feed and three pages: each but the first waits for its turn.
    assert waits == pytest.approx([60, 120, 180, 240], abs=20)


def test_a_longer_distance_in_robots_txt_counts(site: Website, tmp_path: Path) -> None:
    linking(site, "/a")
    site["/robots.txt"] = "User-agent: *\nCrawl-delay: 7\n"
    waits = Sleeps()
    fetched(tmp_path, feed(site), sleep=waits)
    assert round(max(waits)) == 7


def test_robots_txt_is_obeyed_and_asked_for_once(site: Website, tmp_path: Path) -> None:
    linking(site, "/free/a", "/paid/b", "/paid/free/c")
    site["/robots.txt"] = "User-agent: *\nDisallow: /paid/\nAllow: /paid/free/\n\nUser-agent: other\nDisallow: /\n"
    report = fetched(tmp_path, feed(site))
    assert failures(report) == [("/paid/b", "robots")]
    assert site.times_asked("/paid/b") == 0
    assert site.times_asked("/robots.txt") == 1
    assert fetched(tmp_path, feed(site)).failures == []  # told once


def test_robots_txt_of_the_host_that_a_redirect_leads_to_counts(site: Website, tmp_path: Path) -> None:
    linking(site, "/go")
    site["/go"] = Answer(status=302, headers={"Location": "/paid/a"})
    site["/robots.txt"] = "User-agent: roadwire\nDisallow: /paid/\n"
    assert failures(fetched(tmp_path, feed(site))) == [("/go", "robots")]


@pytest.mark.parametrize(("status", "allowed"), [(404, True), (403, True), (500, False), (503, False)])
def test_a_missing_robots_txt_allows_and_a_broken_one_forbids(
    site: Website, tmp_path: Path, status: int, allowed: bool
) -> None:
    linking(site, "/a")
    site["/robots.txt"] = Answer("", status)
    assert fetched(tmp_path, feed(site)).new == int(allowed)
    assert fetched(tmp_path, feed(site, manners=dataclasses.replace(HASTY, robots=False))).new == int(not allowed)


# --- what goes wrong, and what is told ---

STATUS = "http_status"


@pytest.mark.parametrize(
    ("answer", "reason", "asked"),
    [
        (Answer("gone", 404), STATUS, 1),
        (Answer("no", 403), STATUS, 1),
        (Answer("broken", 500), STATUS, 3),
        (Answer("", 204), STATUS, 1),
        (Answer(then=silence), "timeout", 3),
        (Answer(then=trickle), "timeout", 3),
        (Answer(then=flood, headers=HTML), "too_large", 1),
        (Answer(bomb(), headers={**HTML, "Content-Encoding": "gzip"}), "too_large", 1),
        (Answer("x" * 200_001, headers=HTML), "too_large", 1),
        (Answer("half", headers={**HTML, "Content-Length": "5000", "Connection": "close"}), "truncated", 3),
        (Answer(gzip.compress(b"x" * 9_000)[:20], headers={"Content-Encoding": "gzip"}), "truncated", 3),
        (Answer(b"\x1f\x8b\x08 no gzip", headers={"Content-Encoding": "gzip"}), "encoding", 3),
        (Answer("x", headers={**HTML, "Content-Encoding": "br"}), "encoding", 1),
        (Answer("%PDF-1.7", headers={"Content-Type": "application/pdf"}), "content_type", 1),
        (Answer("", headers=HTML), "unreadable", 1),
        (Answer(status=302, headers={"Location": "/bad"}), "redirects", 1),
        (Answer(status=302), "redirects", 1),
        (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "address", 1),
        (Answer(status=302, headers={"Location": "http://user:pw@127.0.0.1/"}), "address", 1),
        (Answer(status=302, headers={"Location": "http://[::1"}), "address", 1),
        (Answer(status=302, headers={"Location": "http://127.0.0.2/admin"}), "address", 1),
        (Answer(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"}), "address", 1),
        (Answer(status=302, headers={"Location": "http://2130706434/"}), "address", 1),  # 127.0.0.2 as a number
        (Answer(status=302, headers={"Location": "//10.0.0.1/"}), "address", 1),
        (Answer(status=302, headers={"Location": "http://[::ffff:10.0.0.1]/"}), "address", 1),
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_had_is_a_row_and_costs_no_other(
    site: Website, tmp_path: Path, answer: Answer, reason: str, asked: int
) -> None:
    site["/bad"] = answer
    linking(site, "/bad", "/good")
    report = fetched(tmp_path, feed(site, manners=IMPATIENT if reason == "timeout" else HASTY))
    assert failures(report) == [("/bad", reason)]
    assert report.failures[0].source == "wire"
    assert report.failures[0].why
    assert site.times_asked("/bad") == asked
    assert [capture.uri for capture in captures(tmp_path, "page")] == [site.url("/good")]
    assert report_file(tmp_path)["sources"][0]["failures"][0]["reason"] == reason  # type: ignore[index]
    assert not list((tmp_path / ".fetch" / "partial").glob("*"))


def test_a_chain_of_redirects_is_bounded(site: Website, tmp_path: Path) -> None:
    linking(site, "/0")
    for n in range(20):
        site[f"/{n}"] = Answer(status=307, headers={"Location": f"/{n + 1}"})
    assert failures(fetched(tmp_path, feed(site))) == [("/0", "redirects")]
    assert [path for path in site.asked if path[1:].isdigit()] == ["/0", "/1", "/2", "/3", "/4", "/5"]


def test_a_server_that_recovers_is_asked_again(site: Website, tmp_path: Path) -> None:
    site["/a"] = [Answer("", 500), Answer(then=silence), Answer(page("Vans"), headers=HTML)]
    linking(site, "/a")
    waits = Sleeps()
    report = fetched(tmp_path, feed(site, manners=IMPATIENT), sleep=waits)
    assert (report.new, report.failures) == (1, [])
    assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2


@pytest.mark.parametrize("value", ["40", format_datetime(NOW + timedelta(seconds=40), usegmt=True)])
def test_retry_after_is_waited_for(site: Website, tmp_path: Path, value: str) -> None:
    site["/a"] = [Answer("", 429, {"Retry-After": value}), Answer(page("Vans"), headers=HTML)]
    linking(site, "/a")
    waits = Sleeps()
    assert fetched(tmp_path, feed(site), sleep=waits).new == 1
    assert max(waits) == pytest.approx(40, abs=0.5)


def test_a_server_that_asks_for_an_hour_is_left_alone_until_the_next_run(site: Website, tmp_path: Path) -> None:
    site["/a"] = [Answer("", 429, {"Retry-After": "3600"}), Answer(page("Vans"), headers=HTML)]
    linking(site, "/a", "/b")
    waits = Sleeps()
    report = fetched(tmp_path, feed(site), sleep=waits)
    assert failures(report) == [("/a", "rate_limited"), ("/b", "rate_limited")]
    assert not waits
    assert site.times_asked("/b") == 0
    assert fetched(tmp_path, feed(site)).new == 2


def test_a_host_that_is_down_is_not_asked_for_every_page(site: Website, tmp_path: Path) -> None:
    paths = [f"/{n}" for n in range(8)]
    for path in paths:
        site[path] = Answer("", 503)
    linking(site, *paths)
    report = fetched(tmp_path, feed(site))
    assert [reason for _, reason in failures(report)] == [STATUS] * 3 + ["host_down"] * 5
    assert report.sources[0].waiting == 8


def test_a_page_that_failed_is_tried_in_the_next_runs_though_the_feed_forgot_it(site: Website, tmp_path: Path) -> None:
    site["/a"] = Answer("", 500)
    linking(site, "/a")
    for _ in range(3):
        assert failures(fetched(tmp_path, feed(site))) == [("/a", STATUS)]
        linking(site)
    site["/a"] = page("Vans")
    assert fetched(tmp_path, feed(site)).new == 1


def test_a_page_that_always_fails_is_given_up(site: Website, tmp_path: Path) -> None:
    site["/a"] = Answer("", 500)
    linking(site, "/a")
    runs = [fetched(tmp_path, feed(site)).failures for _ in range(6)]
    assert [len(rows) for rows in runs] == [1, 1, 1, 1, 1, 0]
    assert "given up after 5 runs" in runs[4][0].why


def test_more_pages_than_a_run_takes_wait(site: Website, tmp_path: Path) -> None:
    linking(site, *(f"/{n}" for n in range(5)))
    runs = [fetched(tmp_path, feed(site, max_pages=2)).sources[0] for _ in range(3)]
    assert [(run.new, run.waiting) for run in runs] == [(2, 3), (2, 1), (1, 0)]


def test_one_bad_source_does_not_stop_the_others(
    site: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linking(site, "/a")
    site["/down"] = Answer("", 500)
    sources = [dataclasses.replace(feed(site, "/down"), name="down"), feed(site)]
    report = fetched(tmp_path, *sources)
    assert (report.new, failures(report)) == (1, [("/down", STATUS)])


# --- addresses ---


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:4700::6810:84e5", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("::127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False),  # 10.0.0.1 behind NAT64
        ("64:ff9b::5db8:d822", True),
        ("64:ff9b:1::a00:1", False),
        ("2002:7f00:1::", False),  # 127.0.0.1 behind 6to4
        ("no address", False),
    ],
)
def test_only_public_addresses_may_be_contacted(address: str, allowed: bool) -> None:
    assert is_allowed(address, []) is allowed


def test_loopback_is_refused_unless_it_is_allowed(site: Website, tmp_path: Path) -> None:
    linking(site, "/a")
    report = fetched(tmp_path, feed(site, manners=dataclasses.replace(HASTY, allow_networks=())))
    assert failures(report) == [("/feed", "address")]
    assert "allow_networks" in report.failures[0].why
    assert site.asked == []


def test_the_address_that_was_checked_is_the_one_that_is_contacted(site: Website, tmp_path: Path) -> None:
    """A name server that answers with a public address first and a private one then (DNS rebinding)."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    port = site.address.rpartition(":")[2]
    source = dataclasses.replace(feed(site), url=f"http://news.example:{port}/feed")
    manners = dataclasses.replace(HASTY, robots=False, retries=0)
    site["/feed"] = Answer(rss(f"http://news.example:{port}/a"), headers={"Connection": "close"})
    world = Surroundings(lambda: NOW, Sleeps(), rebinding, TLS)
    report = fetch([dataclasses.replace(source, manners=manners)], tmp_path, world)
    # The feed came from the address that was checked; the connection after it resolved again and was refused.
    assert site.asked == ["/feed"]
    assert site.headers[0]["Host"] == f"news.example:{port}"
    assert failures(report) == [("/a", "address")]
    assert "127.0.0.2" in report.failures[0].why


def test_a_name_with_one_private_address_is_refused(site: Website, tmp_path: Path) -> None:
    world = Surroundings(lambda: NOW, Sleeps(), lambda host, port: ["127.0.0.1", "10.0.0.1"], TLS)
    report = fetch([feed(site)], tmp_path, world)
    assert failures(report) == [("/feed", "address")]
    assert site.asked == []


def test_names_and_ports_where_nobody_answers_are_told(tmp_path: Path) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = dataclasses.replace(feed(Website(f"http://127.0.0.1:{unused.getsockname()[1]}")), name="nobody")
        assert failures(fetched(tmp_path, nobody)) == [("/feed", "connection")]
    world = Surroundings(lambda: NOW, Sleeps(), unknown, TLS)
    assert failures(fetch([feed(Website("http://no.example"))], tmp_path, world)) == [("/feed", "unresolved")]


# --- feeds ---

ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Example Wire</title>
<entry><id>tag:1</id><title>Vans</title><link href="/a"/><updated>2025-10-06T01:00:00Z</updated></entry></feed>"""


@pytest.mark.parametrize(
    ("body", "headers", "titles"),
    [
        (ATOM, {}, ["Vans"]),
        (rss("/a").replace("</channel></rss>", ""), {}, ["Story 1"]),  # cut
        (rss("/a").replace("Story 1", "Tarn & Sons"), {}, ["Tarn & Sons"]),  # a bare ampersand
        (rss("/a").replace("Story 1", "Citroën").encode("cp1252"), {}, ["Citroën"]),  # says it were UTF-8
        (rss("/a").replace("Story 1", "Citroën").encode(), {"Content-Type": "text/xml; charset=iso-8859-1"}, None),
        (rss("/a"), {"Content-Type": "text/html"}, ["Story 1"]),
        (rss("/a"), {"Content-Type": "image/png"}, ["Story 1"]),
    ],
)
def test_feeds_with_faults_are_read(
    site: Website, tmp_path: Path, body: str | bytes, headers: dict[str, str], titles: list[str] | None
) -> None:
    site["/feed"] = Answer(body, headers=headers)
    site["/a"] = page("Vans")
    assert fetched(tmp_path, feed(site)).failures == []
    (capture,) = captures(tmp_path, "page")
    assert capture.entry
    assert titles is None or [capture.entry.title] == titles


@pytest.mark.parametrize(
    "body",
    [page("No feed"), "", "\0\1\2", '{"items": []}', "%PDF-1.7", laughs(), laughs().encode("utf-16")],
)
def test_what_is_no_feed_is_told(site: Website, tmp_path: Path, body: str | bytes) -> None:
    site["/feed"] = Answer(body)
    assert failures(fetched(tmp_path, feed(site))) == [("/feed", "unreadable")]


def test_a_feed_without_pages_gives_its_new_entries_once(site: Website, tmp_path: Path) -> None:
    linking(site, "/a", "/b")
    assert fetched(tmp_path, feed(site, pages=False)).new == 2
    linking(site, "/c", "/a", "/b")
    assert fetched(tmp_path, feed(site, pages=False), now=NOW + timedelta(hours=1)).new == 1
    assert [capture.items for capture in captures(tmp_path)] == [(1, 2), (1,)]
    assert site.times_asked("/a") == 0


def test_an_entry_without_a_link_is_read_from_the_feed(site: Website, tmp_path: Path) -> None:
    body = rss("/a", "mailto:desk@example.com").replace("<link>/a</link>", "")
    site["/feed"] = Answer(body.replace("<guid>", '<guid isPermaLink="false">'))
    assert fetched(tmp_path, feed(site)).new == 2
    assert captures(tmp_path, "feed")[0].items == (1, 2)
    assert STORY in next(tmp_path.glob("*/*/*/feed.xml")).read_text()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Mon, 06 Oct 2025 03:31:00 GMT", 60.0),
        ("Mon, 06 Oct 2025 03:00:00 GMT", 0.0),
        ("Monday", 0.0),
        ("-5", 0.0),
        ("²", 0.0),
        ("٣٠", 0.0),
        ("Mon, 06 Oct 99999999999999999999 03:31:00 GMT", 0.0),
        ("Mon, 01 Jan 0001 00:00:00 +2300", 0.0),
        ("Mon, 06 Oct 2025 03:31:00 +99999999999999", 0.0),
        ("9" * 400, 999_999_999.0),
        (None, 0.0),
    ],
)
def test_what_retry_after_says(value: str | None, seconds: float) -> None:
    assert retry_after(value, datetime(2025, 10, 6, 3, 30, tzinfo=UTC)) == seconds


def test_pauses_grow_and_are_bounded() -> None:
    for attempt in range(12):
        longest = min(2**attempt, 60)
        assert longest / 2 <= pause(attempt) <= longest
