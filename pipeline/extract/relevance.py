"""How much an article is about automated driving or its business.

In: a document with its companies and levels. Out: 0 to 1. It counts the terms of ``corpora/gazetteers/topic_terms.csv``
per length of text, the headline twice, stated levels, and firms whose business is automated driving; it will not judge
whether the news is important.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import corpora
from pipeline.records import CompanyMention, Document, LevelMention

TERMS = Path(next(iter(corpora.__path__))) / "gazetteers" / "topic_terms.csv"
# A term counts up to three times, so that one word in every line does not outweigh a varied text.
MAX_COUNT = 3
# Weight at which an article is as likely as not on topic: one plain statement ("a self-driving car") in a text of
# HALF_LENGTH words. Longer texts need more, by the square root of their length.
HALF_WEIGHT = 3.0
HALF_LENGTH = 120
STEEPNESS = 1.2
# A stated SAE level weighs as the strongest terms do; a firm of the trade weighs as a hint that needs another.
LEVEL_WEIGHT = 4.0
DEVELOPER_WEIGHT = 2.0


@cache
def _terms() -> tuple[re.Pattern[str], dict[str, float]]:
    with TERMS.open(encoding="utf-8", newline="") as file:
        weights = {row["term"]: float(row["weight"]) for row in csv.DictReader(file)}
    longest_first = sorted(weights, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?=s?\b)"), weights


def relevance(
    document: Document, companies: Sequence[CompanyMention] = (), levels: Sequence[LevelMention] = ()
) -> float:
    """Score of the document, rounded to 4 places: 0.5 is as likely as not about automated driving or its business."""
    pattern, weights = _terms()
    text = document.text.casefold()
    counts: dict[str, int] = {}
    for match in pattern.finditer(text):
        counts[match.group()] = counts.get(match.group(), 0) + 1
    headline = text.partition("\n")[0]
    for match in pattern.finditer(headline):
        counts[match.group()] += 1
    weight = sum(weights[term] * min(count, MAX_COUNT) for term, count in counts.items())
    weight += LEVEL_WEIGHT * min(sum(level.explicit for level in levels), MAX_COUNT)
    weight += DEVELOPER_WEIGHT * min(len({c.company_id for c in companies if c.kind == "developer"}), MAX_COUNT)
    scale = max(1.0, math.sqrt(len(text.split()) / HALF_LENGTH))
    return round(1 / (1 + math.exp(-STEEPNESS * (weight / scale - HALF_WEIGHT))), 4)
