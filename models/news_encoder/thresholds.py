"""Fit the confidence of deal rows and choose their thresholds, on held-out articles and with the run's own companies.

    python -m models.news_encoder.thresholds --data DIR --run DIR [--weights DIR]

Runs the pipeline up to the sentence scores, puts deals together at a low threshold, and compares each with the
annotation: right means a defensible type, the acting party among the parties, and at least half of the parties
(Jaccard). Writes ``role`` in calibration.json, a logistic map from the head's logit to the share of right rows
(Platt 1999), and prints for each deal type the threshold with the best F1; types with fewer than ``ENOUGH`` annotated
deals take the one of all types together. The thresholds go into ``pipeline/settings.toml`` by hand.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from corpora.annotations import AnnotatedArticle, GoldDeal, read_annotations
from pipeline import annotate, settings
from pipeline.extract.companies import find_companies
from pipeline.extract.deals import Told, deals_of_sentence, merge, place_key
from pipeline.extract.locations import find_locations
from pipeline.records import DEAL_TYPES, CompanyMention, Document
from pipeline.run import Models, load_models

ENOUGH = 30
LOW = 0.02
GRID = np.arange(0.1, 0.81, 0.02)


@dataclass(frozen=True, slots=True)
class Row:
    """A deal that was put together, and whether it is right; None where the annotation leaves it open."""

    deal_type: str
    probability: float
    right: bool | None


def low(of: settings.Settings) -> settings.Settings:
    """The settings with every deal threshold lowered, so that the sweep sees what lies below."""
    thresholds = replace(of.thresholds, deal=dict.fromkeys(DEAL_TYPES, LOW))
    return replace(of, thresholds=thresholds)


def told_deals(article: AnnotatedArticle, models: Models, of: settings.Settings) -> tuple[list[Told], dict[str, str]]:
    """Merged deals of one article, and the gold name of each predicted company that stands on a gold mention."""
    document = Document(article.id, f"{article.id}.txt", article.text)
    with models.nlp.memory_zone():
        doc = annotate.annotate(models.nlp, [document])[0]
        reading = models.classifier.read([(document, doc)])[0]
        companies = find_companies(document, doc, reading.names, models.register, of)
        organisations = [(m.start, m.end) for m in companies]
        organisations += [(s.start, s.end) for s in reading.names if s.label == "ORGANISATION"]
        places = find_locations(document, doc, reading.names, organisations, models.gazetteer, of)
        scores = reading.score_deals(
            [(m.start, m.end, m.company_id) for m in companies], [(m.start, m.end, place_key(m)) for m in places]
        )
    told = merge([deal for sentence in scores for deal in deals_of_sentence(sentence, of)])
    return told, _gold_names(article, companies)


def _gold_names(article: AnnotatedArticle, companies: Sequence[CompanyMention]) -> dict[str, str]:
    votes: dict[str, list[str]] = defaultdict(list)
    for mention in companies:
        for span in article.spans:
            if span.label == "COMPANY" and span.start < mention.end and mention.start < span.end:
                votes[mention.company_id].append(span.name)
    return {company: max(set(names), key=names.count) for company, names in votes.items()}


def judge(told: Sequence[Told], gold: Sequence[GoldDeal], names: Mapping[str, str]) -> list[Row]:
    """Match deals one to one, the most probable first; those matched with an optional deal are left open."""
    free = list(gold)
    rows = []
    for deal in sorted(told, key=lambda d: -d.probability):
        parties = {names.get(p, f"?{p}") for p in deal.parties}
        options = [
            g
            for g in free
            if deal.deal_type in g.types and g.parties[0] in parties and _overlap(parties, set(g.parties)) >= 0.5
        ]
        best = max(options, key=lambda g: (not g.optional, _overlap(parties, set(g.parties))), default=None)
        if best:
            free.remove(best)
        rows.append(Row(deal.deal_type, deal.probability, None if best and best.optional else best is not None))
    return rows


def _overlap(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right)


def best_threshold(rows: Sequence[Row], required: int) -> tuple[float, float]:
    """(threshold, F1) with the best F1 over the grid."""

    def f1(threshold: float) -> float:
        kept = [row for row in rows if row.right is not None and row.probability >= threshold]
        return 2 * sum(bool(row.right) for row in kept) / max(1, len(kept) + required)

    best = max(GRID, key=f1)
    return round(float(best), 2), round(f1(float(best)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights")
    arguments = parser.parse_args()
    kept = set(json.loads((arguments.run / "held_out.json").read_text()))
    path = arguments.weights / "calibration.json"
    calibration = json.loads(path.read_text())
    calibration["role"] = {"scale": 1.0, "shift": 0.0}
    path.write_text(json.dumps(calibration, indent=1) + "\n")
    of = low(settings.load())
    models = load_models(of)
    rows: list[Row] = []
    required: dict[str, int] = defaultdict(int)
    for name in ("annotated", "written"):
        for article in read_annotations(arguments.data / f"{name}.jsonl.gz"):
            if article.id in kept:
                rows += judge(*_paired(article, models, of))
                for deal in article.deals:
                    required[deal.types[0]] += not deal.optional
    known = [row for row in rows if row.right is not None]
    logits = np.log([row.probability / (1 - row.probability + 1e-9) for row in known]).reshape(-1, 1)
    fitted = LogisticRegression(C=1e6).fit(logits, [bool(row.right) for row in known])
    scale, shift = float(fitted.coef_[0][0]), float(fitted.intercept_[0])
    calibration["role"] = {"scale": round(scale, 4), "shift": round(shift, 4)}
    path.write_text(json.dumps(calibration, indent=1) + "\n")
    said = fitted.predict_proba(logits)[:, 1]
    calibrated = [replace(row, probability=float(p)) for row, p in zip(known, said, strict=True)]
    overall, f1 = best_threshold(calibrated, sum(required.values()))
    print(json.dumps({"role": calibration["role"], "all types": [overall, f1], "required": sum(required.values())}))
    for kind in DEAL_TYPES:
        own = [row for row in calibrated if row.deal_type == kind]
        threshold, f1 = best_threshold(own, required[kind]) if required[kind] >= ENOUGH else (overall, float("nan"))
        print(f"{kind} = {threshold}  # F1 {f1} of {required[kind]}")
    above = [row for row in calibrated if row.probability >= overall]
    bins = np.array([int(row.probability * 10) for row in above])
    gaps = [
        abs(np.mean([row.probability - float(bool(row.right)) for row, b in zip(above, bins, strict=True) if b == k]))
        * np.mean(bins == k)
        for k in set(bins.tolist())
    ]
    print(json.dumps({"expected_calibration_error_of_rows": round(float(sum(gaps)), 4), "rows": len(above)}))


def _paired(
    article: AnnotatedArticle, models: Models, of: settings.Settings
) -> tuple[list[Told], Sequence[GoldDeal], dict[str, str]]:
    told, names = told_deals(article, models, of)
    return told, article.deals, names


if __name__ == "__main__":
    main()
