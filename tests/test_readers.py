"""One article or one reject for every item, from every format. Files are made in the test."""

import io
import json
import os
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import get_args

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from reader_factories import MORE, PAGE, SETTINGS, STORY, article_in, items_of, outcomes, warc, zipped
from web_factories import laughs

from pipeline.readers import InputError, read
from pipeline.readers.formats import OPENERS, READERS, read_source, sniff
from pipeline.readers.html_page import fragment_text
from pipeline.readers.source import Source
from pipeline.records import Article, Reject, RejectReason

# --- plain text ---


@pytest.mark.parametrize(
    ("text", "title", "published", "publisher"),
    [
        (f"October 6, 2025\n{STORY}", None, "October 6, 2025", None),
        (f"Vans come to Leeds\n\n{STORY}", "Vans come to Leeds", None, None),
        (f"Vans come to Leeds\nMonday, 6 October 2025 09:30 GMT\n{STORY}", "Vans come to Leeds",
         "Monday, 6 October 2025 09:30 GMT", None),
        (f"Published: Oct. 6, 2025\nVans come to Leeds\n{STORY}", "Vans come to Leeds", "Oct. 6, 2025", None),
        (f"# Vans come to Leeds\n\n{STORY}", "Vans come to Leeds", None, None),
        (f"LONDON, Nov 3 (Reuters) - {STORY}", None, "Nov 3", "Reuters"),
        (f"BERLIN, June 3, 2025 - {STORY}", None, "June 3, 2025", None),  # a firm's own release names no wire
        (f"Oslo, Norway, 3 vans - {STORY}", None, None, None),
        (f"SAN FRANCISCO, Calif., March 4, 2024 /PRNewswire/ -- {STORY}", None, "March 4, 2024", "PRNewswire"),
        (f"(Bloomberg) -- {STORY}", None, None, "Bloomberg"),
        (f"{STORY}\nSource link: example.com.", None, None, "example.com"),
        (f"{STORY}\nSource: Example Times", None, None, "Example Times"),
        (STORY, None, None, None),
        (f"{STORY}\n{MORE}", None, None, None),  # a sentence is no headline
        (f"Northgate (NYSE: NGM) rose - {STORY}", None, None, None),
    ],
)  # fmt: skip
def test_what_the_lines_of_a_text_say(
    tmp_path: Path, text: str, title: str | None, published: str | None, publisher: str | None
) -> None:
    article = article_in(tmp_path / "d001.txt", text)
    assert (article.title, article.published, article.publisher) == (title, published, publisher)
    assert article.text == text
    assert Path(article.source_uri.split("#")[0]).stem == "d001"


def test_a_source_line_may_be_an_address(tmp_path: Path) -> None:
    article = article_in(tmp_path / "a.txt", f"{STORY}\nSource: https://example.com/vans")
    assert (article.url, article.publisher) == ("https://example.com/vans", None)


ACCENTED = "The “Citroën” van — built by Škoda’s café team in Málaga — costs €30,000."


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", ACCENTED),
        ("utf-8-sig", ACCENTED),
        ("utf-16", ACCENTED),
        ("utf-16-le", ACCENTED),  # without a byte order mark
        ("utf-16-be", ACCENTED),
        ("utf-32", ACCENTED),
        ("cp1252", ACCENTED),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, text: str) -> None:
    assert article_in(tmp_path / "a.txt", text.encode(encoding)).text == text
    rows = f"title,text\nVans,{text.replace(',', ';')}\n"
    assert article_in(tmp_path / "a.csv", rows.encode(encoding)).text == text.replace(",", ";")
    line = json.dumps({"text": text}, ensure_ascii=False) + "\n"
    assert article_in(tmp_path / "a.jsonl", line.encode(encoding)).text == text
    assert article_in(tmp_path / "a.json", f"[{line}]".encode(encoding)).text == text


def test_a_broken_byte_in_utf8_costs_one_letter(tmp_path: Path) -> None:
    data = ACCENTED.encode() + b" \xff " + ACCENTED.encode()
    assert article_in(tmp_path / "a.txt", data).text == f"{ACCENTED} \ufffd {ACCENTED}"


# --- HTML ---


def test_html(tmp_path: Path) -> None:
    article = article_in(tmp_path / "a.html", PAGE)
    assert STORY in article.text
    assert MORE in article.text
    assert "Home" not in article.text
    assert "All rights reserved" not in article.text
    assert article.title == "Vans for Leeds"
    assert article.published == "2025-10-06T08:30:00+01:00"
    assert article.publisher == "Example Times"


def test_html_declares_its_encoding(tmp_path: Path) -> None:
    russian = (
        PAGE.replace("<head>", '<head><meta charset="windows-1251">').replace("Tuesday", "вторник").replace("©", "")
    )
    assert "вторник" in article_in(tmp_path / "a.html", russian.encode("cp1251")).text


@pytest.mark.parametrize(
    "data", ["", " \n", "<html><body></body></html>", "<html><head><title>Vans</title></head></html>"]
)
def test_html_without_a_main_text(tmp_path: Path, data: str) -> None:
    (tmp_path / "a.html").write_text(data)
    (item,) = items_of(tmp_path)
    assert isinstance(item, Reject)
    assert item.reason == ("missing_text" if data.strip() else "empty")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One <b>two</b>\nthree</p><p>four</p>", "One two three\nfour"),
        ("One<br>two<br/>three", "One\ntwo\nthree"),
        ("<ul><li>One</li><li>two</li></ul>tail", "One\ntwo\ntail"),
        ("<style>p {}</style><script>x()</script>One<!-- no --> two", "One two"),
        ('<div style="display: none">preview</div><p>One</p>', "One"),
        ("R&amp;D in S&atilde;o Paulo", "R&D in São Paulo"),
        ("<table><tr><td>One</td><td>two</td></tr></table>", "One\ntwo"),
        ("<!doctype html><html><head><title>x</title></head><body><p>One</p></body></html>", "One"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_fragments_keep_all_visible_text(markup: str, text: str) -> None:
    assert fragment_text(markup) == text


# --- records ---


def test_field_names_are_mapped(tmp_path: Path) -> None:
    record = {
        "Headline": "Vans for Leeds", "BODY": f"<p>{STORY}</p><p>{MORE}</p>", "link": "https://example.com/a",
        "source": {"id": None, "name": "Example Times"}, "authors": ["A. Writer", "B. Editor"],
        "publishedAt": "2025-10-06T08:30:00Z", "lang": "en", "summary": "Not this one.",
    }  # fmt: skip
    article = article_in(tmp_path / "a.json", json.dumps(record))
    assert article == Article(
        source_uri=f"{tmp_path}/a.json#1", text=f"{STORY}\n{MORE}", url="https://example.com/a", title="Vans for Leeds",
        publisher="Example Times", author="A. Writer, B. Editor", published="2025-10-06T08:30:00Z",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (json.dumps([{"text": STORY}, {"text": MORE}]), ["article", "article"]),
        (json.dumps({"text": STORY, "tags": [{"a": 1}]}), ["article"]),
        (json.dumps({"status": "ok", "articles": [{"text": STORY}, {"text": MORE}]}, indent=1), ["article", "article"]),
        (f'{{"text": "{STORY}"}}\n\n{{"text": "{MORE}"}}\n', ["article", "article"]),  # JSON lines by another name
        (json.dumps([{"text": STORY}, 7, None, {"id": 1}]), ["article", "unreadable", "unreadable", "missing_text"]),
        (f'[{{"text": "{STORY}"}}, {{"text": "broken', ["article", "unreadable"]),
        ("[]", []),
        ("{}", ["missing_text"]),
        ("", ["unreadable"]),
        ('{"text": ', ["unreadable"]),
        ("[" * 100_000, ["unreadable"]),
        ('{"a":' * 100_000, ["unreadable"]),
    ],
)
def test_json(tmp_path: Path, data: str, expected: list[str]) -> None:
    (tmp_path / "a.json").write_text(data)
    assert [outcome for _, outcome in outcomes(items_of(tmp_path / "a.json"))] == expected


def test_a_broken_line_rejects_this_line_only(tmp_path: Path) -> None:
    good = json.dumps({"text": STORY})
    path = tmp_path / "a.jsonl"
    path.write_bytes(f'{good}\n{{"text": "bro\n\n{good}\n[1, 2]\n{{}}\n'.encode() + b"\x00\xff\x00\n" + good.encode())
    items = items_of(path)
    assert outcomes(items) == [
        ("a.jsonl#1", "article"),
        ("a.jsonl#2", "unreadable"),
        ("a.jsonl#4", "article"),  # the number of the line, as an editor shows it
        ("a.jsonl#5", "unreadable"),
        ("a.jsonl#6", "missing_text"),
        ("a.jsonl#7", "unreadable"),
        ("a.jsonl#8", "article"),
    ]
    second = items[1]
    assert isinstance(second, Reject)
    assert (second.item, f"{path}, line 2" in second.detail) == ("2", True)


@pytest.mark.parametrize(
    ("number", "published"),
    [("1759739400", "1759739400"), ("1759739400.0", "1759739400"), ("NaN", None), ("1e999", None)],
)
def test_numbers_as_times(tmp_path: Path, number: str, published: str | None) -> None:
    assert article_in(tmp_path / "a.json", f'{{"text": "{STORY}", "date": {number}}}').published == published


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    rows = [["title", "text", "date"], ["Vans", f'"{STORY}\n{MORE.replace(delimiter, "")}"', "2025-10-06"]]
    article = article_in(tmp_path / "a.csv", "\r\n".join(delimiter.join(row) for row in rows))
    assert (article.title, article.published, article.source_uri[-2:]) == ("Vans", "2025-10-06", "#1")
    assert "\n" in article.text


def test_csv_rows_are_refused_one_by_one(tmp_path: Path) -> None:
    long = "word " * 40_000  # beyond the csv module's own bound on a field
    path = tmp_path / "a.tsv"
    path.write_text(f"id\ttext\n1\t{STORY}\n2\t{STORY}\tmore\textra\n\n3\t\n4\n5\t{long}\n")
    assert outcomes(items_of(path)) == [
        ("a.tsv#1", "article"),
        ("a.tsv#2", "unreadable"),
        ("a.tsv#3", "missing_text"),
        ("a.tsv#4", "missing_text"),
        ("a.tsv#5", "article"),
    ]


def test_parquet(tmp_path: Path) -> None:
    table = pa.table(
        {
            "Title": ["Vans", None, "Cabs"],
            "content": [STORY, None, MORE],
            "date": pa.array([datetime(2025, 10, 6, 8, 30, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
            "authors": [["A. Writer"], [], None],
            "unused": [1, 2, 3],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    items = items_of(tmp_path)
    assert outcomes(items) == [("a.parquet#1", "article"), ("a.parquet#2", "missing_text"), ("a.parquet#3", "article")]
    assert isinstance(items[0], Article)
    assert (items[0].published, items[0].author) == ("2025-10-06T08:30:00+00:00", "A. Writer")


def test_parquet_without_a_text_column_is_one_reject(tmp_path: Path) -> None:
    pq.write_table(pa.table({"number": [1, 2, 3]}), tmp_path / "a.parquet")
    assert outcomes(items_of(tmp_path)) == [("a.parquet", "missing_text")]


# --- feeds, e-mail, WARC ---

RSS = f"""<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>Example Times</title><language>en-gb</language>
<item><title>Vans &amp; cabs</title><link>https://example.com/a</link><pubDate>Mon, 06 Oct 2025 08:30:00 +0100</pubDate>
<description>Short.</description><content:encoded><![CDATA[<p>{STORY}</p><p>{MORE}</p>]]></content:encoded></item>
<item><title>Only a headline about vans</title></item><item><guid>3</guid></item></channel></rss>"""
ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Example Times</title>
<entry><title>Vans</title><link href="https://example.com/a"/><updated>2025-10-06T08:30:00Z</updated>
<author><name>A. Writer</name></author><content type="html">&lt;p&gt;{STORY}&lt;/p&gt;</content></entry></feed>"""


@pytest.mark.parametrize("name", ["a.rss", "a.xml", "a"])
def test_rss(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(RSS)
    items = items_of(tmp_path)
    assert outcomes(items) == [(f"{name}#1", "article"), (f"{name}#2", "article"), (f"{name}#3", "missing_text")]
    assert items[0] == Article(
        source_uri=f"{tmp_path}/{name}#1", text=f"{STORY}\n{MORE}", url="https://example.com/a", title="Vans & cabs",
        publisher="Example Times", published="Mon, 06 Oct 2025 08:30:00 +0100",
    )  # fmt: skip


def test_atom(tmp_path: Path) -> None:
    article = article_in(tmp_path / "a.atom", ATOM)
    assert (article.text, article.author, article.published) == (STORY, "A. Writer", "2025-10-06T08:30:00Z")


@pytest.mark.parametrize(
    "data", ["", "<rss><channel><item>", "<rss version='2.0'><channel></channel></rss>", "no feed"]
)
def test_broken_feeds(tmp_path: Path, data: str) -> None:
    (tmp_path / "a.rss").write_text(data)
    (item,) = items_of(tmp_path)
    assert isinstance(item, Reject)
    assert item.reason in ("unreadable", "empty", "missing_text")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-7", "cp037"])
def test_a_feed_with_entities_of_its_own_is_one_reject(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.rss").write_bytes(laughs(encoding=encoding).encode(encoding))
    (item,) = items_of(tmp_path)
    assert isinstance(item, Reject)
    assert item.reason == "unreadable"
    assert "entities" in item.detail


def newsletter(charset: str = "utf-8") -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"] = "Vans für Leeds", "Example Times <news@example.com>"
    message["Date"] = "Mon, 06 Oct 2025 08:30:00 +0100"
    message.set_content("plain part")
    message.add_alternative(f"<html><body><p>{ACCENTED}</p><p>{MORE}</p></body></html>", "html", charset=charset)
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    return bytes(message)


@pytest.mark.parametrize("charset", ["utf-8", "cp1252"])
def test_newsletter(tmp_path: Path, charset: str) -> None:
    assert article_in(tmp_path / "a.eml", newsletter(charset)) == Article(
        source_uri=f"{tmp_path}/a.eml", text=f"{ACCENTED}\n{MORE}", title="Vans für Leeds", publisher="Example Times",
        published="Mon, 06 Oct 2025 08:30:00 +0100",
    )  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"no headers here", b"Subject: nothing\r\n\r\n", b"\x00\x01\x02"])
def test_broken_mail(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.eml").write_bytes(data)
    (item,) = items_of(tmp_path)
    assert isinstance(item, Reject)
    assert item.reason in ("unreadable", "missing_text")


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_warc(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(warc(name.endswith("gz")))
    items = items_of(tmp_path)
    assert [(int(uri.partition("#")[2]), outcome) for uri, outcome in outcomes(items)] == [
        (2, "article"), (4, "missing_text"), (5, "article"), (6, "empty"), (7, "article"),
    ]  # fmt: skip
    assert isinstance(items[0], Article)
    assert (items[0].url, items[0].title) == ("https://example.com/a", "Vans for Leeds")


def test_a_warc_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    whole = warc(packed=False)
    (tmp_path / "a.warc").write_bytes(whole[: whole.index(b"/b.png") + 100] + b"garbage")
    items = items_of(tmp_path)
    assert isinstance(items[0], Article)


# --- which files ---


@pytest.mark.parametrize(
    ("head", "suffix"),
    [
        (b"%PDF-1.7", None), (b"\x89PNG\r\n", None), (b"\x00\x01\x02\x03" * 50, None), (b"<svg xmlns=''></svg>", None),
        (b"<!DOCTYPE html><p>x", ".html"), (b"\xef\xbb\xbf<rss version='2.0'>", ".rss"), (b' {"text": 1}', ".json"),
        (b'[{"text": 1}]', ".json"), (b"[Reuters] - Northgate", ".txt"), (b"From: a@b.c\r\nSubject: x\r\n\r\n", ".eml"),
        (b"From: the desk of the editor", ".txt"), (b"WARC/1.0\r\n", ".warc"), (b"PAR1", ".parquet"),
        (b"Northgate", ".txt"),
    ],
)  # fmt: skip
def test_sniffing(head: bytes, suffix: str | None) -> None:
    assert sniff(head) == suffix


def test_office_documents_are_no_zip_files(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(zipped({"word/document.xml": b"<w/>"}))
    assert outcomes(items_of(tmp_path)) == [("a.docx", "unsupported_format")]


def test_folders_globs_and_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.txt", "a.txt", "sub/c.txt", ".git/d.txt", ".e.txt", "sub/.f.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(STORY)
    names = ["a.txt", "b.txt", "sub/c.txt"]
    assert [item.source_uri for item in read(["."], SETTINGS)] == names
    assert [item.source_uri for item in read(["**/*.txt"], SETTINGS)] == names
    assert [item.source_uri for item in read(["./b.txt", "*.txt", "sub"], SETTINGS)] == ["b.txt", "a.txt", "sub/c.txt"]


@pytest.mark.parametrize("path", ["no/such/file.txt", "no-*.txt", "empty", "memory://no/such.txt", "nosuchscheme://a"])
def test_inputs_that_name_nothing_are_errors_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=path.replace("*", r"\*")):
        read([path], SETTINGS)
    with pytest.raises(InputError):
        read([], SETTINGS)


def test_uris(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    system.pipe(
        {
            "/roadwire/a.jsonl": json.dumps({"text": STORY}).encode(),
            "/roadwire/sub/b.zip": zipped({"b.txt": MORE.encode()}),
        }
    )
    (tmp_path / "c.txt").write_text(STORY)
    uris = ["memory:///roadwire/a.jsonl#1", "memory:///roadwire/sub/b.zip!/b.txt"]
    assert [
        item.source_uri.replace("memory://r", "memory:///r") for item in read(["memory://roadwire"], SETTINGS)
    ] == uris
    assert [
        item.source_uri.replace("memory://r", "memory:///r") for item in read(["memory://roadwire/*.jsonl"], SETTINGS)
    ] == uris[:1]
    assert [item.source_uri for item in read([f"file://{tmp_path}/c.txt"], SETTINGS)] == [f"file://{tmp_path}/c.txt"]


def test_a_file_that_vanishes_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(STORY)
    items = read([str(tmp_path)], SETTINGS)
    (tmp_path / "a.txt").unlink()
    assert [outcome for _, outcome in outcomes(list(items))] == ["unreadable"]


def test_names_that_are_no_unicode_are_escaped(tmp_path: Path) -> None:
    """Tables hold Unicode; file systems and tar files hold bytes."""
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"caf\xe9.txt"))).write_text(STORY)
    (tmp_path / "a.json").write_text('{"\\ud800": 1}')
    rejected, article = items_of(tmp_path)
    assert isinstance(rejected, Reject)
    assert rejected.detail.endswith("the item has: \\ud800")
    assert article.source_uri == f"{tmp_path}/caf\\udce9.txt"


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted({*READERS, *OPENERS, ""})), st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_nothing_a_file_holds_raises(suffix: str, content: bytes | str) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    source = Source(f"a{suffix}", f"a{suffix}", io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
    uris = [item.source_uri for item in read_source(source, SETTINGS)]
    assert len(uris) == len(set(uris))


# --- what is documented ---

DOCUMENTATION = (Path(__file__).parents[1] / "docs" / "reading.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*READERS, *OPENERS, *get_args(RejectReason), *SETTINGS.reading.fields])
def test_every_format_reason_and_field_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENTATION
