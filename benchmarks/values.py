"""How well the amount of a deal is chosen, given its evidence, and how fast sums and dates are found.

    python -m benchmarks.values ARTICLES.jsonl.gz [--half 0|1] [--errors]

In: articles in the project's annotation format. Out: precision, recall and F1 of exact amount and currency over all
deals whose evidence stands in the text, how many deals without an amount would get one, and characters a second. There
are no annotated dates; their rules are documented by ``tests/test_dates.py``.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corpora.annotations import read_records
from pipeline.extract.dates import find_dates
from pipeline.extract.deal_amounts import deal_amount
from pipeline.extract.money import find_amounts

# An annotated 4.46 billion and a printed 4.460 billion are the same sum.
TOLERANCE = 0.005


def amount_figures(articles: list[dict[str, Any]], show: bool) -> str:
    hit = found = priced = unpriced = invented = 0
    for article in articles:
        text, amounts = article["text"], find_amounts(article["text"])
        for deal in article["deals"]:
            start = text.find(deal["evidence"])
            if start < 0:
                continue
            chosen = deal_amount(text, amounts, deal["type"], (start, start + len(deal["evidence"])))
            right = deal.get("amount")
            priced, unpriced = priced + bool(right), unpriced + (not right)
            found += chosen is not None
            invented += chosen is not None and not right
            is_hit = bool(
                chosen
                and right
                and abs(chosen.amount - right) <= TOLERANCE * right
                and chosen.currency == deal["currency"]
            )
            hit += is_hit
            if show and not is_hit and (chosen or right):
                said = f"{chosen.surface!r} {chosen.currency}" if chosen else None
                print(article["id"], deal["type"], "chosen", said, "annotated", right, deal.get("currency"))
    return (
        f"P {hit / max(1, found):.3f} R {hit / max(1, priced):.3f} F1 {2 * hit / max(1, found + priced):.3f} "
        f"({priced} priced deals; {invented} of {unpriced} unpriced ones get an amount)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path)
    parser.add_argument("--half", type=int, choices=(0, 1), help="every other article; rules were read off half 0")
    parser.add_argument("--errors", action="store_true")
    arguments = parser.parse_args()
    if not arguments.articles.exists():
        sys.exit(f"skipped: {arguments.articles} is not here")
    articles = read_records(arguments.articles, arguments.articles.parent / "texts")
    if arguments.half is not None:
        articles = articles[arguments.half :: 2]
    print("deal amounts", amount_figures(articles, arguments.errors))
    characters = sum(len(article["text"]) for article in articles)
    published = datetime(2025, 1, 1, tzinfo=UTC)
    start = time.perf_counter()
    for article in articles:
        find_amounts(article["text"])
    money = time.perf_counter() - start
    start = time.perf_counter()
    for article in articles:
        find_dates(article["text"], published)
    dates = time.perf_counter() - start
    print(f"sums {characters / money:,.0f}, dates {characters / dates:,.0f} characters a second")


if __name__ == "__main__":
    main()
