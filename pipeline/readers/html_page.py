"""HTML: a page becomes its main text, a fragment (of a feed, an e-mail, a table cell) all of its text.

In: bytes or text of one page. Out: one ``Article`` or ``Reject``. Main text and metadata come from trafilatura
(Apache-2.0) and htmldate (Apache-2.0); what a page states about itself in schema.org JSON-LD or ``article:``
properties goes before what is guessed from its layout. Links, images, comments and forms are left out.
"""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import htmldate
import lxml.etree
import lxml.html
import trafilatura
from trafilatura.settings import Document

from pipeline.readers.source import Source, UnusableItem, decode, read_whole
from pipeline.records import Article, Reject
from pipeline.settings import Settings

# What these libraries would print about a page stands in its reject.
for _library in ("trafilatura", "htmldate"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)

ARTICLE_TYPES = frozenset({
    "Article", "NewsArticle", "ReportageNewsArticle", "AnalysisNewsArticle", "BackgroundNewsArticle", "BlogPosting",
    "LiveBlogPosting", "OpinionNewsArticle", "TechArticle", "Report", "SocialMediaPosting",
})  # fmt: skip
BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "br", "center", "dd", "div", "dl", "dt", "fieldset", "figcaption",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre",
    "section", "table", "td", "th", "title", "tr", "ul",
})  # fmt: skip
UNSEEN = frozenset({"script", "style", "head", "template", "noscript", "svg", "object", "iframe", "select"})
META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?\s*([A-Za-z0-9_:-]{2,40})", re.IGNORECASE)
MARKUP = re.compile(r"</?(?:p|br|div|span|a|b|i|em|strong|ul|ol|li|h[1-6]|img|table|blockquote)\b[^<>]{0,2000}>", re.I)
PUBLISHED_PROPERTIES = ("article:published_time", "og:article:published_time", "datePublished", "parsely-pub-date")


def read_html(source: Source, settings: Settings) -> Iterator[Article | Reject]:
    """The article of one HTML file."""
    data = read_whole(source.stream, settings.reading.max_bytes)
    yield page_article(data, source.uri, source.url, source.charset)


def page_article(data: bytes, uri: str, url: str | None = None, charset: str | None = None) -> Article:
    """Main text and metadata of the page ``data``; ``charset`` as an HTTP header declares it.

    Raises ``UnusableItem``: empty, missing_text where the page has no main text, unreadable where it is no HTML.
    """
    if not data.strip():
        raise UnusableItem("empty", "a page of no bytes")
    declared = META_CHARSET.search(data[:4096])
    text = decode(data, charset or (declared.group(1).decode("ascii") if declared else None))
    tree = trafilatura.load_html(text)
    if tree is None:
        raise UnusableItem("unreadable", "no HTML document could be parsed")
    stated = _stated(tree)
    found = trafilatura.bare_extraction(
        text,
        url=url,
        with_metadata=True,
        include_comments=False,
        include_tables=True,
        deduplicate=False,
        date_extraction_params={"extensive_search": False, "original_date": True},
    )
    if not isinstance(found, Document) or not found.text or not found.text.strip():
        raise UnusableItem("missing_text", "no main text found in the page")
    return Article(
        source_uri=uri,
        text=found.text,
        url=found.url or url,
        title=_headline(stated.get("title") or found.title, found.sitename),
        publisher=found.sitename or stated.get("publisher") or found.hostname,
        author=found.author,
        published=stated.get("published") or _visible_date(tree, url),
    )


def fragment_text(markup: str) -> str:
    """All visible text of a piece of HTML, a block element a line; nothing is left out as unimportant."""
    try:
        root = lxml.html.fragment_fromstring(markup, create_parent="div")
    except (lxml.etree.LxmlError, ValueError):
        # An XML declaration in a string, or a whole document with a doctype, is no fragment.
        try:
            root = lxml.html.document_fromstring(markup.encode("utf-8"), lxml.html.HTMLParser(encoding="utf-8"))
        except lxml.etree.LxmlError:
            return ""
    parts: list[str] = []
    for event, element in lxml.etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event in ("comment", "pi"):
            parts.append(" ".join((element.tail or "").split(" ")))
            continue
        if event == "start":
            if element.tag in UNSEEN or _hidden(element):
                element.clear(keep_tail=True)
                continue
            parts.append("\n" if element.tag in BLOCKS else "")
            parts.append(_one_line(element.text, element))
        else:
            parts.append("\n" if element.tag in BLOCKS else "")
            parts.append(_one_line(element.tail, element.getparent()))
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)


def without_markup(text: str) -> str:
    """``text`` as it is, or its visible text where it is HTML (as bodies in JSON, CSV and feeds often are)."""
    return fragment_text(text) if MARKUP.search(text) else text


def _one_line(text: str | None, parent: Any) -> str:
    """In HTML a line end is a space, except in preformatted text."""
    if not text:
        return ""
    return text if parent is not None and parent.tag == "pre" else re.sub(r"[ \t\r\n]+", " ", text)


def _hidden(element: Any) -> bool:
    """Newsletters carry an invisible preview line for the inbox; it repeats or pads what follows."""
    style = (element.get("style") or "").replace(" ", "").lower()
    return "display:none" in style or "visibility:hidden" in style


def _stated(tree: Any) -> dict[str, str]:
    """Title, publication time and publisher as the page's own metadata state them."""
    stated: dict[str, str] = {}
    for node in _article_nodes(tree):
        publisher = node.get("publisher")
        name = publisher.get("name") if isinstance(publisher, dict) else publisher
        for key, value in (
            ("title", node.get("headline")),
            ("published", node.get("datePublished")),
            ("publisher", name),
        ):
            if isinstance(value, str) and value.strip():
                stated.setdefault(key, value.strip())
    if "published" not in stated:
        for name in PUBLISHED_PROPERTIES:
            values = tree.xpath("//meta[@property=$name or @name=$name or @itemprop=$name]/@content", name=name)
            if values and values[0].strip():
                stated["published"] = values[0].strip()
                break
    return stated


def _headline(title: str | None, sitename: str | None) -> str | None:
    """``title`` without the site's name at its end; entities are escaped twice on many pages."""
    if not title:
        return None
    title = html.unescape(html.unescape(title))
    if sitename:
        title = re.sub(rf"\s+[-–—|]\s+{re.escape(sitename)}\s*$", "", title, flags=re.IGNORECASE)
    return title


def _article_nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """The schema.org nodes of the page that describe an article, in the order of the page."""
    for script in tree.xpath("//script[@type='application/ld+json']"):
        try:
            data = json.loads(script.text_content(), strict=False)
        except (ValueError, RecursionError):
            continue
        nodes = data if isinstance(data, list) else [data]
        for node in nodes:
            if not isinstance(node, dict):
                continue
            graph = node.get("@graph")
            for candidate in [node, *(graph if isinstance(graph, list) else [])]:
                if isinstance(candidate, dict):
                    kinds = candidate.get("@type")
                    if ARTICLE_TYPES.intersection(kinds if isinstance(kinds, list) else [kinds]):
                        yield candidate


def _visible_date(tree: Any, url: str | None) -> str | None:
    """The day as htmldate finds it; it reads the URL, other metadata and marked-up dates."""
    return htmldate.find_date(tree, extensive_search=False, original_date=True, url=url)
