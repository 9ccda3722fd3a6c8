"""What nobody expected, of a server or of our own, costs one page and is told; the queue goes on."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reader_factories import warc
from web_factories import HASTY, Answer, Website, failures, feed, fetched, page, rss, serving

from pipeline.captures import Capture
from pipeline.sources import feeds, files
from pipeline.sources.http_client import _decoded
from pipeline.sources.source_list import FeedSource, WarcListSource
from pipeline.sources.state import Link

STATUS = "http_status"


@pytest.fixture
def site() -> Iterator[Website]:
    yield from serving()


def linking(site: Website, *paths: str) -> None:
    """A feed that links to ``paths``; each that has no answer yet gets a page."""
    site["/feed"] = Answer(rss(*(site.url(path) for path in paths)))
    for path in paths:
        if path not in site.answers:
            site[path] = page(f"Story at {path}")


def test_a_fault_of_our_own_is_a_row_too(site: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no such thing")

    linking(site, "/a")
    site["/a"] = Answer("", 500)
    fetched(tmp_path, feed(site))
    monkeypatch.setattr("pipeline.sources.feeds.parse_feed", broken)
    linking(site, "/b")
    site["/a"] = page("Vans")
    report = fetched(tmp_path, feed(site))
    assert (failures(report), report.new) == ([("/feed", "failed")], 1)  # the page that waited comes all the same


def test_a_fault_at_one_page_is_a_row_and_the_page_is_given_up(
    site: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = feeds._page

    def broken(source: FeedSource, link: Link, *rest: Any) -> Capture:
        if link.url.endswith("/bad"):
            raise ZeroDivisionError("no such thing")
        return whole(source, link, *rest)

    monkeypatch.setattr(feeds, "_page", broken)
    linking(site, "/bad", "/good")
    runs = [fetched(tmp_path, feed(site)) for _ in range(6)]
    assert [run.new for run in runs] == [1, 0, 0, 0, 0, 0]
    assert [failures(run) for run in runs] == [[("/bad", "failed")]] * 5 + [[]]


def test_a_fault_at_one_file_of_a_list_is_a_row_and_is_given_up(
    site: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = files._capture

    def broken(source: WarcListSource, kind: str, uri: str, *rest: Any, **more: Any) -> Capture:
        if uri.endswith("/bad.warc"):
            raise ZeroDivisionError("no such thing")
        return whole(source, kind, uri, *rest, **more)

    monkeypatch.setattr(files, "_capture", broken)
    site["/list"] = Answer("bad.warc\ngood.warc\n")
    site["/bad.warc"] = site["/good.warc"] = Answer(warc(packed=False))
    source = WarcListSource("crawl", site.url("/list"), manners=HASTY)
    runs = [fetched(tmp_path, source) for _ in range(6)]
    assert [run.new for run in runs] == [1, 0, 0, 0, 0, 0]
    assert [failures(run) for run in runs] == [[("/bad.warc", "failed")]] * 5 + [[]]


def test_a_header_that_is_no_number_costs_no_other_page(site: Website, tmp_path: Path) -> None:
    linking(site, "/bad", "/good")
    site["/bad"] = Answer("", 429, {"Retry-After": "²"})
    report = fetched(tmp_path, feed(site))
    assert (failures(report), report.new) == ([("/bad", "http_status")], 1)


def test_a_failure_after_a_redirect_counts_against_the_host_that_failed(site: Website, tmp_path: Path) -> None:
    """A shortener that leads to a host that is down still leads to others."""
    for other in serving():
        linking(site, "/1", "/2", "/3", "/4", "/good")
        for n in range(1, 5):
            site[f"/{n}"] = Answer(status=302, headers={"Location": other.url(f"/{n}")})
            other[f"/{n}"] = Answer("", 503)
        report = fetched(tmp_path, feed(site))
    assert failures(report) == [(f"/{n}", STATUS) for n in (1, 2, 3)] + [("/4", "host_down")]
    assert report.new == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100_000])
@pytest.mark.parametrize("after", [b"", b"\0", b"\0" * 9, b"\r\n", b"\x1f", b"no gzip"])
def test_members_and_padding_of_a_gzip_in_chunks_of_any_size(size: int, after: bytes) -> None:
    packed = gzip.compress(b"vans ") + gzip.compress(b"and cabs ") + gzip.compress(b"x" * 200_000) + after
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert b"".join(_decoded(chunks, "gzip", 1_000_000)) == b"vans and cabs " + b"x" * 200_000
