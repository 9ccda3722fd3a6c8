"""How well companies are found and linked, and how fast, against annotated articles.

    python -m benchmarks.companies GOLD.jsonl[.gz] [--texts DIR] [--spans SPANS.jsonl.gz | --gold-names] [--errors N]

In: annotated articles (their texts inside, or as ``DIR/<id>.txt``) and name spans: those of a file as
``models/companies/train.py`` reads it, those of the project's spaCy pipeline (default), or the annotated surfaces
themselves (``--gold-names``: what is lost then is lost by linking, not by recognition).
Out: one line of figures each for entities, linking and speed. It needs no tables and writes nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from corpora.annotations import read_records
from models.companies.evaluate import Counts, count_article, fold, match, optional_keys, surface_keys
from pipeline.extract.companies import find_companies, spacy_name_spans
from pipeline.gazetteer import load_register
from pipeline.records import CompanyMention, Document, NameSpan
from pipeline.settings import load


def read_articles(path: Path, texts: Path | None) -> list[dict[str, Any]]:
    if not path.exists():
        sys.exit(f"{path} is not there: this benchmark needs annotated articles and skips without them")
    return read_records(path, texts)


def gold_names(article: Mapping[str, Any]) -> Iterator[NameSpan]:
    """The annotated surfaces as if a perfect recogniser had read them."""
    named = [("COMPANY", s) for c in article["companies"] for s in c["surfaces"]]
    named += [("ORGANISATION", s) for s in article.get("not_companies", [])]
    for label, surface in named:
        for hit in re.finditer(rf"(?<!\w){re.escape(surface)}(?!\w)", article["text"]):
            yield NameSpan(hit.start(), hit.end(), label, 0.99, "classifier")


def run(articles: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> tuple[list[list[CompanyMention]], float]:
    """Company rows of each article and the processor seconds that finding them took, recognition not counted."""
    import spacy

    register, settings = load_register(), load()
    stored = {row["id"]: row for row in read_records(arguments.spans)} if arguments.spans else {}
    if stored or arguments.gold_names:
        nlp = spacy.blank("en")
        nlp.add_pipe("sentencizer")
    else:
        from pipeline.annotate import load_nlp

        nlp = load_nlp(settings)
    rows, seconds = [], 0.0
    for article in articles:
        doc = nlp(article["text"])
        if arguments.gold_names:
            spans = tuple(gold_names(article))
        elif stored:
            spans = tuple(NameSpan(*span) for span in stored[article["id"]]["spans"])
        else:
            spans = spacy_name_spans(doc)
        document = Document(article_id=article["id"], source_uri=article["id"], text=article["text"])
        start = time.process_time()
        rows.append(find_companies(document, doc, spans, register, settings))
        seconds += time.process_time() - start
    return rows, seconds


def by_company(rows: Sequence[CompanyMention]) -> dict[str, list[CompanyMention]]:
    grouped: dict[str, list[CompanyMention]] = defaultdict(list)
    for row in rows:
        grouped[row.company_id].append(row)
    return dict(grouped)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--spans", type=Path)
    parser.add_argument("--gold-names", action="store_true")
    parser.add_argument("--errors", type=int, default=0, help="list the N most frequent errors of each kind")
    arguments = parser.parse_args()
    articles = read_articles(arguments.gold, arguments.texts)
    found, seconds = run(articles, arguments)
    total, linked, right = Counts(), 0, 0
    errors: dict[str, Counter[str]] = defaultdict(Counter)
    for article, rows in zip(articles, found, strict=True):
        assert all(article["text"][r.start : r.end] == r.surface for r in rows)
        groups = list(by_company(rows).values())
        keys = [surface_keys([r.surface for r in group] + [group[0].company_name]) for group in groups]
        annotated = [surface_keys([c["name"], *c["surfaces"]]) for c in article["companies"]]
        total += count_article(article, keys)
        pairs = match(keys, annotated)
        for i, j in pairs:
            if groups[i][0].linked:
                same = fold(groups[i][0].company_name) == fold(article["companies"][j]["name"])
                linked, right = linked + 1, right + same
                if not same:
                    errors["linked otherwise"][
                        f"{groups[i][0].company_name} for {article['companies'][j]['name']}"
                    ] += 1
        free = optional_keys(article.get("optional_companies"))
        for i in set(range(len(groups))) - {i for i, _ in pairs}:
            if not keys[i] & free:
                errors["false"][groups[i][0].company_name] += 1
        for j in set(range(len(annotated))) - {j for _, j in pairs}:
            errors["missed"][article["companies"][j]["name"]] += 1
    characters = sum(len(article["text"]) for article in articles)
    print("companies  " + "  ".join(f"{name} {value:.3f}" for name, value in total.figures().items()))
    print(f"linking    {right / max(1, linked):.3f} of {linked} registered companies bear the annotated name")
    print(f"speed      {characters / max(seconds, 1e-9) / 1e6:.2f} million characters a second of processor time")
    for kind, counter in errors.items():
        if arguments.errors:
            print(f"{kind}: " + ", ".join(f"{name} {n}" for name, n in counter.most_common(arguments.errors)))


if __name__ == "__main__":
    main()
