"""RSS and Atom feeds: entries that are new, and the pages that they link to.

In: a feed in the list of sources. Out: a capture of the feed where it had something new, and a capture of each page
that was not fetched before, by whichever feed. A page that cannot be had now waits for the next run, also where the
feed has forgotten it by then. It extracts no text.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urljoin

from pipeline.captures import Capture, Entry
from pipeline.feed_xml import RefusedFeed, parse_feed_xml
from pipeline.sources.hosts import FetchFailure
from pipeline.sources.http_client import Response
from pipeline.sources.raw_store import Draft
from pipeline.sources.session import Session, told
from pipeline.sources.source_list import FeedSource
from pipeline.sources.state import Link, Resource, entry_key, page_key

PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/plain"})
#: Titles and ids longer than this are mistakes of the feed.
MAX_FIELD = 1_000


def fetch_feed(source: FeedSource, session: Session) -> None:
    """Fetch a feed and the pages that wait. A feed that cannot be had does not hold up the pages."""
    try:
        _fetch_entries(source, session)
    except FetchFailure as failure:
        session.fail(source.url, failure)
    waiting = session.state.waiting(source.name) if source.pages else []
    for link in waiting[: source.max_pages or None]:
        _fetch_page(source, link, session)
    session.report.waiting = len(session.state.waiting(source.name)) if source.pages else 0


def parse_feed(content: bytes, response: Response) -> list[Entry]:
    """The entries of a feed, in its order, also of one whose XML is broken.

    Raises ``FetchFailure`` (unreadable) where there is nothing of a feed in it.
    """
    declared = {"content-type": response.header("content-type") or "application/xml", "content-location": response.url}
    try:
        feed = parse_feed_xml(content, declared)
    except RefusedFeed as error:
        raise FetchFailure("unreadable", str(error)) from error
    except Exception as error:  # parsers of foreign bytes raise whatever they like
        raise FetchFailure("unreadable", f"no feed can be read from it ({told(error)})") from error
    if not feed.entries and not feed.get("version"):
        broken = feed.get("bozo_exception")
        raise FetchFailure("unreadable", f"it is no feed ({told(broken)})" if broken else "it is no feed")
    title = _field(feed.feed.get("title"))
    return [_entry(entry, number, title, response.url) for number, entry in enumerate(feed.entries, 1)]


def _entry(entry: Any, number: int, feed_title: str | None, feed_url: str) -> Entry:
    title = _field(entry.get("title"))
    url = _page_url(entry.get("link"), feed_url)
    known = entry.get("id") or url or f"{title}\n{entry.get('summary') or ''}"
    return Entry(
        number=number,
        id=known if len(known) <= MAX_FIELD else hashlib.sha256(known.encode("utf-8", "replace")).hexdigest(),
        url=url,
        title=title,
        published=_field(entry.get("published") or entry.get("updated")),
        author=_field(entry.get("author")),
        feed_title=_field((entry.get("source") or {}).get("title")) or feed_title,
    )


def _field(value: Any) -> str | None:
    return " ".join(value.split())[:MAX_FIELD] or None if isinstance(value, str) else None


def _page_url(link: Any, feed_url: str) -> str | None:
    if not isinstance(link, str) or not link.strip():
        return None
    try:
        url = urljoin(feed_url, link.strip())
    except ValueError:
        return None
    return url if url.lower().startswith(("http://", "https://")) else None


def _fetch_entries(source: FeedSource, session: Session) -> None:
    """Fetch the feed; where it has new entries it is kept and their links wait."""
    before = session.state.resource(source.name, source.url)
    with session.guarded(), session.store.draft() as draft:
        response = session.get(source.url, draft, before.validators)
        if response.not_modified:
            return
        now = Resource(response.header("etag"), response.header("last-modified"), None, draft.sha256)
        if draft.sha256 == before.sha256:
            session.state.remember(source.name, source.url, now)
            return
        entries = parse_feed(draft.content(), response)
        new, items = _new_entries(entries, source, session)
        session.report.known += len(entries) - len(new)
        if not new:
            session.state.remember(source.name, source.url, now)
            return
        capture = Capture(
            source=source.name,
            kind="feed",
            uri=source.url,
            file="feed.xml",
            fetched_at=session.stamp(),
            sha256="",
            size=0,
            publisher=source.publisher,
            url=response.url,
            status=response.status,
            headers=response.headers,
            redirects=response.redirects,
            entries=tuple(new),
            items=tuple(items),
        )
        session.state.learn([session.keep(draft, capture)])
        session.report.new += len(items)


def _new_entries(entries: list[Entry], source: FeedSource, session: Session) -> tuple[list[Entry], list[int]]:
    """The entries that were never seen, and the positions of those that are read from the feed itself."""
    new: dict[str, Entry] = {}
    items = []
    for entry in entries:
        with_page = source.pages and entry.url is not None
        key = page_key(entry.url or "") if with_page else entry_key(source.name, entry)
        if key in new or session.state.is_known(key):
            continue
        new[key] = entry
        if not with_page:
            items.append(entry.number)
    return list(new.values()), items


def _fetch_page(source: FeedSource, link: Link, session: Session) -> None:
    try:
        with session.guarded(), session.store.draft() as draft:
            response = session.get(link.url, draft, media_types=PAGE_TYPES)
            final = page_key(response.url)
            if final != link.key and session.state.outcome(final) == "fetched":
                session.state.settle(link.key, "fetched")  # another link led to the same page
                session.report.known += 1
                return
            if not draft.size:
                raise FetchFailure("unreadable", "a page of no bytes", permanent=True)
            session.state.learn([session.keep(draft, _page(source, link, response, session, draft))])
            session.report.new += 1
    except FetchFailure as failure:
        session.give_up(link, failure)


def _page(source: FeedSource, link: Link, response: Response, session: Session, draft: Draft) -> Capture:
    return Capture(
        source=source.name,
        kind="page",
        uri=link.url,
        file="page.txt" if response.media_type == "text/plain" else "page.html",
        fetched_at=session.stamp(),
        sha256=draft.sha256,
        size=draft.size,
        publisher=source.publisher,
        url=response.url,
        status=response.status,
        headers=response.headers,
        redirects=response.redirects,
        entry=link.entry,
    )
