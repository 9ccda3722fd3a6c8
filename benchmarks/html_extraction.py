"""How much of a stored news page comes out right: the text, the title, the publication time.

    python benchmarks/html_extraction.py [FOLDER]

FOLDER holds ``news_pages.tar`` (gzipped HTML) and ``news_pages.jsonl.gz`` (title, date and body of each page,
in one or more versions: a publisher's list of test pages); default ``../shared/data/html``. Without it
the command says so and ends with code 0. A page is compared with the version whose words it holds most of.

Printed, over all pages:
text F1, precision, recall: of word tokens (``\\w+``, letter case ignored, counted with multiplicity) of the
    extracted text against summary, headings and paragraphs of the stored body; the mean over pages.
titles right: the same words in the same order as the stored title, letter case and punctuation ignored.
    "titles near": token F1 of at least .75; many pages have one headline for readers and one for search engines.
days right: the UTC day of ``published_at`` (null counts as wrong) is that of the stored time.
times right: it is within one minute of the stored time.
"""

from __future__ import annotations

import collections
import gzip
import html
import json
import re
import sys
import tarfile
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import settings as settings_module
from pipeline.prepare import clean_line, clean_text
from pipeline.publication_time import publication_time
from pipeline.readers import read
from pipeline.records import Article

DEFAULT = Path(__file__).parents[1] / ".." / "shared" / "data" / "html"


def tokens(text: str | None) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", html.unescape(text or "")).replace("’", "'").casefold())


def token_scores(found: list[str], stored: list[str]) -> tuple[float, float, float]:
    """F1, precision and recall of the multiset ``found`` against ``stored``."""
    common = sum((collections.Counter(found) & collections.Counter(stored)).values())
    return (
        2 * common / max(1, len(found) + len(stored)),
        common / max(1, len(found)),
        common / max(1, len(stored)),
    )


def body_of(version: dict[str, Any]) -> str:
    body = version["body"]
    parts = body["summary"] + [part for each in body["sections"] for part in each["headline"] + each["paragraphs"]]
    return "\n".join(parts)


def version_of(page: str, versions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The stored version that this page is; chosen by the raw page, not by what was extracted."""
    words = set(tokens(page))

    def covered(version: dict[str, Any]) -> float:
        stored = set(tokens(body_of(version)))
        return len(stored & words) / max(1, len(stored))

    return max((version for version in versions.values() if version.get("body")), key=covered)


def stored_time(version: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(version["publishing_date"])
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def main(folder: Path) -> int:
    pages_file, stored_file = folder / "news_pages.tar", folder / "news_pages.jsonl.gz"
    if not (pages_file.exists() and stored_file.exists()):
        print(f"skipped: {pages_file} and {stored_file.name} are not here")
        return 0
    with tarfile.open(pages_file) as archive:
        pages = {
            Path(member.name).name: gzip.decompress(stream.read()).decode("utf-8", "replace")
            for member in archive
            if (stream := archive.extractfile(member)) is not None
        }
    with gzip.open(stored_file, "rt", encoding="utf-8") as lines:
        stored = {row["id"]: version_of(pages[row["id"]], row["gt"]) for row in map(json.loads, lines)}

    started = time.perf_counter()
    items = list(read([str(pages_file)], settings_module.load()))
    seconds = time.perf_counter() - started
    found = {Path(item.source_uri).name: item for item in items if isinstance(item, Article)}

    scores, titles, near, days, times = [], 0, 0, 0, 0
    for name, version in stored.items():
        article = found.get(name) or Article(name, "")
        scores.append(token_scores(tokens(clean_text(article.text)), tokens(body_of(version))))
        title, stored_title = tokens(clean_line(article.title)), tokens(version["title"])
        titles += title == stored_title
        near += token_scores(title, stored_title)[0] >= 0.75
        moment, expected = publication_time(article.published), stored_time(version)
        days += moment is not None and moment.date() == expected.date()
        times += moment is not None and abs((moment - expected).total_seconds()) < 60
    count = len(stored)
    f1, precision, recall = (sum(score[k] for score in scores) / count for k in range(3))
    print(
        f"pages {count}, articles {len(found)}, rejects {len(items) - len(found)}, "
        f"{seconds / count * 1000:.0f} ms a page"
    )
    print(f"text F1 {f1:.3f}, precision {precision:.3f}, recall {recall:.3f}, lowest F1 {min(scores)[0]:.2f}")
    print(f"titles right {titles}/{count} ({titles / count:.1%}), near {near}/{count} ({near / count:.1%})")
    print(f"days right {days}/{count} ({days / count:.1%}), times right {times}/{count} ({times / count:.1%})")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT))
