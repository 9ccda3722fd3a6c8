"""How well and how fast levels are found and attributed.

    python -m benchmarks.levels ARTICLES.jsonl[.gz] [--errors]

In: articles in the project's annotation format, companies taken as annotated. Out: precision, recall and F1 of distinct
levels in an article, the same with the right company, and the characters a second of ``find_levels``. The weights of
the attribution were learnt on the written articles: for those the honest figure is that of
``models.level_owners.train --folds``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import spacy

from corpora.annotations import read_records
from models.level_owners.train import figures, gold_mentions
from pipeline.extract.level_owners import attribute_levels
from pipeline.extract.levels import find_levels


def levels_figures(articles: list[dict[str, Any]], with_negation: bool, show: bool) -> str:
    hit = found = gold = 0
    for article in articles:
        rows = {
            (m.level_min, m.level_max, m.plus, m.negated and with_negation)
            for m in find_levels(article["text"])
            if m.explicit
        }
        right = {(x["min"], x["max"], x["plus"], x["negated"] and with_negation) for x in article["levels"]}
        free = {
            (x["min"], x["max"], x["plus"], x["negated"] and with_negation)
            for x in article.get("optional_levels", [])
            if isinstance(x, dict)
        }
        rows -= free - right
        hit, found, gold = hit + len(rows & right), found + len(rows), gold + len(right)
        if show and rows != right:
            print(article["id"], "false", sorted(rows - right), "missed", sorted(right - rows))
    if not found or not gold:
        return f"no levels ({found} found, {gold} annotated)"
    return f"P {hit / found:.3f} R {hit / gold:.3f} F1 {2 * hit / (found + gold):.3f} ({gold} items)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path)
    parser.add_argument("--errors", action="store_true", help="list what is false and what is missed")
    arguments = parser.parse_args()
    if not arguments.articles.exists():
        sys.exit(f"skipped: {arguments.articles} is not here")
    articles = read_records(arguments.articles, arguments.articles.parent / "texts")
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    print("levels                 ", levels_figures(articles, True, arguments.errors))
    print("levels without negation", levels_figures(articles, False, False))
    if any(article["levels"] for article in articles):
        print(figures(articles, lambda a: attribute_levels(find_levels(a["text"]), gold_mentions(a), nlp(a["text"]))))
    start = time.perf_counter()
    for article in articles:
        find_levels(article["text"])
    seconds = time.perf_counter() - start
    characters = sum(len(article["text"]) for article in articles)
    print(f"{characters / seconds:,.0f} characters a second, {characters / 6 / seconds:,.0f} words a second")


if __name__ == "__main__":
    main()
