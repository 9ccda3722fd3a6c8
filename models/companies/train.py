"""Fit the weights that say whether a name is a company: logistic regression over ``company_features``.

In: annotated articles (``docs/annotation.md``) and, for each, the name spans of every recogniser that will run, as
JSON lines ``{"id": ..., "sentence_starts": [...], "spans": [[start, end, label, probability, method], ...]}``.
Spans of a recogniser that was trained on these articles must be out of fold, or it is trusted too much
(``models.companies.spans`` writes them); articles without spans are left out.
Out: ``weights.json`` beside this file, with the figures of a grouped cross-validation. It trains no recogniser.

    python -m models.companies.train --articles annotated.jsonl.gz written.jsonl.gz --newswire worldwide.jsonl.gz \
        --spans spans.jsonl.gz
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from corpora.annotations import groups_of, read_records
from models.companies.evaluate import Counts, count_article, optional_keys, surface_keys
from models.companies.newswire import newswire_articles
from pipeline.extract.companies import evidence_of
from pipeline.extract.company_candidates import Entity
from pipeline.gazetteer import load_register
from pipeline.link.companies import display_name
from pipeline.records import NameSpan

REGULARISATION = 0.5  # inverse strength C; .1 to 2 gave the same F1 within .002 in cross-validation
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One name of one article. ``target``: 1 a company, 0 none, None where annotators leave it open."""

    article: int
    entity: Entity
    name: str
    evidence: dict[str, float]
    target: int | None


def examples(articles: Sequence[Mapping[str, Any]], spans: Mapping[str, Mapping[str, Any]]) -> list[Example]:
    register = load_register()
    found = []
    for number, article in enumerate(articles):
        given = spans[article["id"]]
        names = [NameSpan(*span) for span in given["spans"]]
        gold = [surface_keys([c["name"], *c["surfaces"]]) for c in article["companies"]]
        optional = optional_keys(article.get("optional_companies"))
        banned = surface_keys(article.get("not_companies", []))
        for entity, evidence in evidence_of(article["text"], given["sentence_starts"], names, register):
            name = display_name([m.surface for m in entity.mentions], register, entity.company_id)
            keys = surface_keys([name, *(m.surface for m in entity.mentions)])
            positive = any(keys & g for g in gold)
            target = 1 if positive and not (keys & banned and not keys & set().union(*gold)) else 0
            is_open = not positive and bool(keys & optional)
            if "unjudged" in article:
                is_open = entity.company_id is not None or _touches(keys, surface_keys(article["unjudged"]))
            found.append(Example(number, entity, name, evidence, None if is_open else target))
    return found


def _touches(keys: set[str], names: set[str]) -> bool:
    return any(key in name or name in key for key in keys for name in names)


def fit(rows: Sequence[Example], features: Sequence[str]) -> dict[str, float]:
    known = [row for row in rows if row.target is not None]
    matrix = np.array([[row.evidence.get(name, 0.0) for name in features] for row in known])
    target = np.array([row.target for row in known])
    model = LogisticRegression(C=REGULARISATION, max_iter=2000, fit_intercept=False)
    model.fit(matrix, target)
    return {name: round(float(w), 4) for name, w in zip(features, model.coef_[0], strict=True)}


def probability(row: Example, weights: Mapping[str, float]) -> float:
    total = sum(weights.get(name, 0.0) * value for name, value in row.evidence.items())
    return float(1 / (1 + np.exp(-total)))


def cross_validate(
    articles: Sequence[Mapping[str, Any]], rows: Sequence[Example], features: Sequence[str]
) -> dict[int, float]:
    """Probability of each example (by its index) from weights fitted without its article group."""
    group = groups_of([a["text"] for a in articles], [a.get("tags", []) for a in articles])
    folds = GroupKFold(n_splits=FOLDS)
    numbers = np.arange(len(rows))
    owners = np.array([group[row.article] for row in rows])
    result: dict[int, float] = {}
    for train, test in folds.split(numbers, groups=owners):
        weights = fit([rows[i] for i in train], features)
        result |= {int(i): probability(rows[i], weights) for i in test}
    return result


def figures(
    articles: Sequence[Mapping[str, Any]], rows: Sequence[Example], scores: Mapping[int, float], threshold: float
) -> dict[str, float]:
    """Entity precision, recall and F1, and the share of stated non-companies that were reported."""
    chosen: dict[int, list[set[str]]] = {}
    for i, row in enumerate(rows):
        if scores[i] >= threshold:
            keys = surface_keys([row.name, *(m.surface for m in row.entity.mentions)])
            chosen.setdefault(row.article, []).append(keys)
    total = Counts()
    for number, article in enumerate(articles):
        total += count_article(article, chosen.get(number, []))
    return total.figures()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, nargs="+", required=True)
    parser.add_argument("--newswire", type=Path, required=True)
    parser.add_argument("--spans", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("weights.json"))
    arguments = parser.parse_args()
    spans = {row["id"]: row for row in read_records(arguments.spans)}
    articles = [article for path in arguments.articles for article in read_records(path) if article["id"] in spans]
    general = newswire_articles(read_records(arguments.newswire))
    rows = examples([*articles, *general], spans)
    features = sorted({name for row in rows for name in row.evidence})
    scores = cross_validate([*articles, *general], rows, features)
    reported = sum(scores[i] >= 0.5 for i, row in enumerate(rows) if row.article >= len(articles) and row.target == 0)
    judged = sum(row.article >= len(articles) and row.target == 0 for row in rows)
    print(f"general newswire: {reported} of {judged} names that are no companies reported in {len(general)} articles")
    for threshold in (0.3, 0.4, 0.5, 0.6, 0.7):
        values = figures(articles, rows, scores, threshold)
        print(f"at {threshold}: " + "  ".join(f"{k} {v:.3f}" for k, v in values.items()))
    weights = fit(rows, features)
    methods = sorted({m.group(0) for f in features if (m := re.match(r"spacy|classifier", f))})
    card = {
        "articles": len(articles),
        "newswire_articles": len(general),
        "newswire_names_reported": [int(reported), int(judged)],
        "names": len(rows),
        "recognisers": methods,
        "cross_validation": {k: round(v, 4) for k, v in figures(articles, rows, scores, 0.5).items()},
        "weights": weights,
    }
    arguments.out.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
