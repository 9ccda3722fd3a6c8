"""How well sums, times and the amounts of deals are read, and how fast.

    python -m benchmarks.values [ARTICLES ...] [--half 0|1] [--errors]

In: the phrases of ``corpora/gold/money.jsonl`` and ``times.jsonl``; ``ARTICLES`` are files in the project's annotation
format. Out, for the phrases: the share read exactly, for the part that rules may be read off and for the blind part
(every fourth phrase). Out, for articles: how many deals that carry an amount get exactly it, how many without one get
one, and characters a second. ``--errors`` prints what is wrong in the open part only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from corpora.annotations import read_records
from pipeline.extract.dates import find_dates
from pipeline.extract.deal_amounts import deal_amount
from pipeline.extract.deal_dates import effective_date
from pipeline.extract.money import find_amounts
from pipeline.records import DealType

GOLD = Path(__file__).parent.parent / "corpora" / "gold"
# An annotated 4.46 billion and a printed 4.460 billion are the same sum.
TOLERANCE = 0.005
# Every fourth phrase is only measured: nobody reads its errors.
BLIND = 4

Phrase = dict[str, Any]


def is_blind(phrase: Phrase) -> bool:
    return int(phrase["id"][1:]) % BLIND == 0


def sums_of(phrase: Phrase) -> tuple[object, object]:
    """What is read and what is right: every sum of the phrase, in text order."""
    found = [(a.amount, a.currency) for a in find_amounts(phrase["text"])]
    return found, [(float(a["amount"]), a["currency"]) for a in phrase["amounts"]]


def deal_sum_of(phrase: Phrase) -> tuple[object, object]:
    """What is read and what is right: the amount of the phrase's deal."""
    text, deal = phrase["text"], phrase["deal"]
    start = text.index(deal["evidence"])
    chosen = deal_amount(text, find_amounts(text), deal["type"], (start, start + len(deal["evidence"])))
    right = (float(deal["amount"]), deal["currency"]) if deal["amount"] is not None else None
    return (chosen.amount, chosen.currency) if chosen else None, right


def time_of(phrase: Phrase) -> tuple[object, object]:
    """What is read and what is right: first day and precision of the time at which the phrase's deal takes effect."""
    text, published = phrase["text"], phrase["published_at"]
    at = datetime.fromisoformat(published).replace(hour=12, tzinfo=UTC) if published else None
    start = text.index(phrase["evidence"])
    span = (start, start + len(phrase["evidence"]))
    found = effective_date(text, span, find_dates(text, at), at, phrase["status"])
    right = (phrase["effective_on"], phrase["effective_precision"]) if phrase["effective_on"] else None
    return (found[0].isoformat(), found[1]) if found else None, right


def phrase_figures(
    phrases: list[Phrase], read: Callable[[Phrase], tuple[object, object]], show: bool
) -> tuple[float, float, float]:
    """Share of phrases read exactly: all, open part, blind part."""
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for phrase in phrases:
        found, right = read(phrase)
        hits[is_blind(phrase)].append(found == right)
        if show and found != right and not is_blind(phrase):
            print(f"{phrase['id']} {phrase['text']!r}\n      read {found}, right {right}")
    seen, blind = hits[False], hits[True]
    return sum(seen + blind) / len(phrases), sum(seen) / len(seen), sum(blind) / len(blind)


def gold_phrases(name: str) -> list[Phrase]:
    return [json.loads(line) for line in (GOLD / name).read_text(encoding="utf-8").splitlines()]


def gold_figures(show: bool = False) -> dict[str, tuple[float, float, float]]:
    """Shares of the three questions that the gold phrases ask, each as (all, open part, blind part)."""
    money, times = gold_phrases("money.jsonl"), gold_phrases("times.jsonl")
    return {
        "sums": phrase_figures(money, sums_of, show),
        "amounts of deals": phrase_figures([p for p in money if "deal" in p], deal_sum_of, show),
        "times": phrase_figures(times, time_of, show),
    }


def amount_figures(articles: list[dict[str, Any]], show: bool) -> str:
    hit = found = priced = unpriced = invented = 0
    for article in articles:
        text, amounts = article["text"], find_amounts(article["text"])
        for deal in article["deals"]:
            start = text.find(deal["evidence"])
            if start < 0 or deal["type"] not in get_args(DealType):
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
                print("     ", repr(deal["evidence"]), "|", repr(text[start + len(deal["evidence"]) :][:150]))
    return (
        f"exact {hit / max(1, priced):.3f} of {priced} priced deals; precision {hit / max(1, found):.3f}; "
        f"{invented} of {unpriced} unpriced ones get an amount"
    )


def speed_figures(articles: list[dict[str, Any]]) -> str:
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
    return f"sums {characters / money:,.0f}, dates {characters / dates:,.0f} characters a second"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path, nargs="*")
    parser.add_argument("--half", type=int, choices=(0, 1), help="every other article; rules were read off half 0")
    parser.add_argument("--errors", action="store_true")
    arguments = parser.parse_args()
    for name, shares in gold_figures(arguments.errors and not arguments.articles).items():
        print("gold {}: {:.3f} exact (open part {:.3f}, blind part {:.3f})".format(name, *shares))
    for path in arguments.articles:
        if not path.exists():
            sys.exit(f"skipped: {path} is not here")
        articles = read_records(path, path.parent / "texts")
        if arguments.half is not None:
            articles = articles[arguments.half :: 2]
        print(path.name, "amounts of deals:", amount_figures(articles, arguments.errors))
        print(path.name, speed_figures(articles))


if __name__ == "__main__":
    main()
