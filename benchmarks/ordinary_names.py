"""How safely firms are recognised whose names are ordinary words: Plus, Aurora, Bolt, Five.

    python -m benchmarks.ordinary_names [--errors]

In: ``corpora/gold/ordinary_names.jsonl``, a sentence a line, half of them traps. Out: precision and recall over the
occurrences of those names, with the recognisers and settings that ship. A row is right where it gives an annotated
place the annotated ``company_id``. Other firms in a sentence are not counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import corpora
from corpora.annotations import read_records
from pipeline import run, settings
from pipeline.records import CompanyMention, Document

GOLD = Path(next(iter(corpora.__path__))) / "gold" / "ordinary_names.jsonl"


def read(sentences: Sequence[Mapping[str, Any]]) -> list[tuple[CompanyMention, ...]]:
    """The company rows of each sentence, as a run gives them."""
    chosen = settings.load()
    models = run.load_models(chosen)
    documents = [Document(item["id"], item["id"], item["text"]) for item in sentences]
    return [extraction.companies for extraction in run.extract(documents, models, chosen)]


def count(
    sentences: Sequence[Mapping[str, Any]], found: Sequence[Sequence[CompanyMention]]
) -> tuple[int, list[str], list[str]]:
    """Rows that are right, and a line for each that is wrong or missing."""
    names = {company["surface"].casefold() for item in sentences for company in item["companies"]}
    right, wrong, missing = 0, [], []
    for item, rows in zip(sentences, found, strict=True):
        expected = {(c["start"], c["company_id"]) for c in item["companies"]}
        given = {(row.start, row.company_id) for row in rows if row.surface.casefold() in names}
        right += len(expected & given)
        wrong += [f"{company_id} in {item['text']}" for _, company_id in sorted(given - expected)]
        missing += [f"{company_id} in {item['text']}" for _, company_id in sorted(expected - given)]
    return right, wrong, missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", action="store_true", help="list what is wrong and what is missing")
    arguments = parser.parse_args()
    sentences = read_records(GOLD)
    right, wrong, missing = count(sentences, read(sentences))
    traps = sum(not item["companies"] for item in sentences)
    print(f"{len(sentences)} sentences, {traps} of them traps")
    print(f"precision  {right / max(1, right + len(wrong)):.3f}  ({len(wrong)} wrong)")
    print(f"recall     {right / max(1, right + len(missing)):.3f}  ({len(missing)} missing)")
    if arguments.errors:
        print("\n".join([*(f"wrong: {line}" for line in wrong), *(f"missing: {line}" for line in missing)]))


if __name__ == "__main__":
    main()
