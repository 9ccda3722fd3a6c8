"""General newswire as near misses: people, countries and places that are no companies.

In: articles of the Worldwide newswire NER set (organisations are marked, but not whether they are firms). Out: records
in the annotation format without companies; what an organisation's name touches is left open (``unjudged``).
The annotated articles are business news: without these, a country named fifty times looked like a firm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

EVERY = 3  # one article of three: as many as there are held-out annotated ones
NO_COMPANY = frozenset({"Person", "Location", "NORP", "Facility", "Date"})


def newswire_articles(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every third record in the annotation format."""
    articles = []
    for number, record in enumerate(records):
        if number % EVERY:
            continue
        named = [(record["text"][span["start"] : span["end"]], span["label"]) for span in record["spans"]]
        articles.append(
            {
                "id": record["id"],
                "text": record["text"],
                "companies": [],
                "not_companies": sorted({name for name, label in named if label in NO_COMPANY}),
                "unjudged": sorted({name for name, label in named if label not in NO_COMPANY}),
                "locations": [],
                "deals": [],
            }
        )
    return articles
