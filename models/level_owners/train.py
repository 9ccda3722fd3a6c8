"""Learn the weights of ``pipeline.extract.level_owners`` from annotated articles.

    python -m models.level_owners.train ARTICLES.jsonl.gz… [--out weights.json] [--folds 5]

In: articles in the project's annotation format, with ``companies`` and ``levels``. Out: ``weights.json`` (cue name to
weight) and, with ``--folds``, the cross-validated figures of ``levels_company`` with companies given. A conditional
logit: one softmax over the companies of the document and "nobody" for each level mention.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy

from corpora.annotations import read_records
from pipeline.extract.level_owners import NOBODY, candidate_features, scene_of
from pipeline.extract.levels import find_levels
from pipeline.records import CompanyMention, LevelMention

# Weight decay and steps: cross-validation on the written articles is flat between .0003 and .003 and from 400 steps on.
DECAY = 0.0005
STEPS = 600
RATE = 0.1

Instance = tuple[list[dict[str, float]], list[str], set[str]]


def gold_mentions(article: dict[str, Any]) -> list[CompanyMention]:
    """Every place where a surface of an annotated company stands; the longest surface wins."""
    surfaces = {s: c["name"] for c in article["companies"] for s in c["surfaces"]}
    out: list[CompanyMention] = []
    for surface in sorted(surfaces, key=len, reverse=True):
        for match in re.finditer(rf"(?<!\w){re.escape(surface)}(?!\w)", article["text"]):
            if not any(m.start < match.end() and match.start() < m.end for m in out):
                name = surfaces[surface]
                out.append(
                    CompanyMention(match.start(), match.end(), surface, name, name, None, None, None, False, 0, 1.0)
                )
    return sorted(out, key=lambda m: m.start)


def instances(article: dict[str, Any], nlp: Any) -> Iterable[Instance]:
    mentions = gold_mentions(article)
    owners: dict[tuple[int, int, bool], set[str]] = defaultdict(set)
    for level in article["levels"]:
        owners[level["min"], level["max"], level["plus"]].add(level["company"] or NOBODY)
    if not mentions:
        return
    scene = scene_of(mentions, nlp(article["text"]))
    for level in find_levels(article["text"]):
        right = owners.get((level.level_min, level.level_max, level.plus), set())
        candidates = [NOBODY, *scene.counts]
        if level.explicit and right & set(candidates):
            yield [candidate_features(scene, level, c) for c in candidates], candidates, right


def fit(data: Sequence[Instance]) -> dict[str, float]:
    """Weights that make the right owners likely; several owners of one level share its probability."""
    names = sorted({name for rows, _, _ in data for row in rows for name in row})
    index = {name: i for i, name in enumerate(names)}
    widest = max(len(rows) for rows, _, _ in data)
    matrix = np.zeros((len(data), widest, len(names)))
    missing = np.full((len(data), widest), -1e9)
    is_right = np.zeros((len(data), widest))
    for n, (rows, candidates, right) in enumerate(data):
        for c, row in enumerate(rows):
            for name, value in row.items():
                matrix[n, c, index[name]] = value
            missing[n, c] = 0.0
            is_right[n, c] = candidates[c] in right
    weight, velocity = np.zeros(len(names)), np.zeros(len(names))
    for _ in range(STEPS):
        p = softmax(matrix @ weight + missing)
        target = p * is_right
        pull = target / target.sum(axis=1, keepdims=True) - p
        gradient = np.einsum("ncf,nc->f", matrix, pull) / len(data) - DECAY * weight
        velocity = 0.9 * velocity + gradient
        weight += RATE * velocity
    return {name: round(float(w), 3) for name, w in zip(names, weight, strict=True)}


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def figures(articles: Sequence[dict[str, Any]], attribute: Callable[[dict[str, Any]], list[LevelMention]]) -> str:
    """Precision, recall, F1 of distinct (level, company) items an article, as the project's scorer counts them."""
    hit = found = gold = 0
    for article in articles:
        rows = {(m.level_min, m.level_max, m.plus, m.negated, m.company_name) for m in attribute(article) if m.explicit}
        right = {(x["min"], x["max"], x["plus"], x["negated"], x["company"]) for x in article["levels"]}
        free = {
            (x["min"], x["max"], x["plus"], x["negated"]) for x in article.get("optional_levels", []) if "min" in x
        } - {x[:4] for x in right}
        rows = {x for x in rows if x[:4] not in free}
        hit, found, gold = hit + len(rows & right), found + len(rows), gold + len(right)
    return f"levels_company P {hit / found:.3f} R {hit / gold:.3f} F1 {2 * hit / (found + gold):.3f} ({gold} items)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("weights.json"))
    parser.add_argument("--folds", type=int, default=0)
    arguments = parser.parse_args()
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    articles = [record for path in arguments.articles for record in read_records(path) if record["levels"]]
    for fold in range(arguments.folds):
        train = [a for i, a in enumerate(articles) if i % arguments.folds != fold]
        test = [a for i, a in enumerate(articles) if i % arguments.folds == fold]
        print(f"fold {fold}:", evaluate(test, fit([x for a in train for x in instances(a, nlp)]), nlp))
    weights = fit([x for a in articles for x in instances(a, nlp)])
    arguments.out.write_text(json.dumps(weights, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print("fitted on all:", evaluate(articles, weights, nlp))


def evaluate(articles: Sequence[dict[str, Any]], weights: dict[str, float], nlp: Any) -> str:
    from pipeline.extract.level_owners import attribute_levels

    return figures(
        articles,
        lambda a: attribute_levels(find_levels(a["text"]), gold_mentions(a), nlp(a["text"]), learnt=weights),
    )


if __name__ == "__main__":
    main()
