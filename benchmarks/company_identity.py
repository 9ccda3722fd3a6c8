"""Whether every company of annotated articles is one record: links made, links right, firms split and merged.

    python -m benchmarks.company_identity [--data DIR] [--errors]

In: the annotated articles of ``DIR`` (dev and training; third-party news, so not in the repository), read with the
annotated names, so that what is lost is lost by linking. Out, a line each:

- **linked**: of the mentions of annotated companies that the register knows by their annotated name, the share that is
  linked to a record;
- **right**: of 300 links drawn with a fixed seed and judged by reading (``corpora/standoff/company_links.csv``: the
  article, offsets and the record, no text), the share that is given today;
- **identity**: annotated companies that have two ids, or share an id with another, over all articles. Pairs of an
  annotated name and an id that were read and found right (a renamed firm, a unit annotated by its own name) are in
  ``corpora/gold/company_identity.csv``; a pair that nobody has judged counts as wrong.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy

import corpora
from benchmarks.companies import by_company, gold_names
from corpora.annotations import read_records
from models.companies.evaluate import fold, match, surface_keys
from pipeline import settings
from pipeline.extract.companies import find_companies
from pipeline.gazetteer import CompanyRegister, load_register
from pipeline.publication_time import publication_time
from pipeline.records import CompanyMention, Document

CORPORA = Path(next(iter(corpora.__path__)))
DATA = CORPORA.parent.parent / "shared" / "data"
LINKS = CORPORA / "standoff" / "company_links.csv"
JUDGED = CORPORA / "gold" / "company_identity.csv"


@dataclass(frozen=True, slots=True)
class Read:
    """One article with the company rows found in it."""

    article: Mapping[str, Any]
    rows: Sequence[CompanyMention]


def articles(data: Path) -> list[dict[str, Any]]:
    """Dev and training articles with their texts; none where the data is absent."""
    if not (data / "dev" / "gold.jsonl").exists() or not (data / "train" / "annotated.jsonl.gz").exists():
        return []
    return read_records(data / "dev" / "gold.jsonl", data / "dev" / "texts") + read_records(
        data / "train" / "annotated.jsonl.gz"
    )


def read(items: Sequence[Mapping[str, Any]]) -> list[Read]:
    """Company rows of each article, as of its day, with the annotated names as name spans."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    register, chosen = load_register(), settings.load()
    found = []
    for item in items:
        document = Document(item["id"], item["id"], item["text"], published_at=publication_time(item.get("published")))
        rows = find_companies(document, nlp(item["text"]), tuple(gold_names(item)), register, chosen)
        found.append(Read(item, rows))
    return found


def linked_mentions(found: Sequence[Read], register: CompanyRegister) -> tuple[int, Counter[str]]:
    """Mentions of annotated companies whose annotated name the register has, and those of them without a link."""
    names = {fold(text) for text, known in register.names.items() if any(k.catalogue == "company" for k in known)}
    total, missed = 0, Counter[str]()
    for one in found:
        linked = [(row.start, row.end) for row in one.rows if row.linked]
        for company in one.article["companies"]:
            if fold(company["name"]) in names:
                for start, end in _occurrences(one.article["text"], company["surfaces"]):
                    total += 1
                    if not any(s < end and e > start for s, e in linked):
                        missed[company["name"]] += 1
    return total, missed


def _occurrences(text: str, surfaces: Sequence[str]) -> Iterator[tuple[int, int]]:
    alternatives = "|".join(re.escape(s) for s in sorted(set(surfaces), key=len, reverse=True))
    return (hit.span() for hit in re.finditer(rf"(?<![\w@/.-])(?:{alternatives})(?!\w|-\w*\.)", text))


def wrong_links(found: Sequence[Read], links: Sequence[Mapping[str, str]]) -> list[str]:
    """The judged links that are given otherwise today, a line each. Without ``company_id`` there is none to give."""
    rows = {(one.article["id"], row.start): row for one in found for row in one.rows if row.linked}
    wrong = []
    for link in links:
        row = rows.get((link["article"], int(link["start"])))
        given = row.company_id if row else ""
        if given != link["company_id"]:
            wrong.append(f"{link['article']} at {link['start']}: {given or 'nothing'} for {link['company_id']}")
    return wrong


def identities(found: Sequence[Read]) -> dict[tuple[str, str], int]:
    """In how many articles an annotated name has which id."""
    pairs: Counter[tuple[str, str]] = Counter()
    for one in found:
        groups = list(by_company(one.rows).values())
        keys = [surface_keys([row.surface for row in group] + [group[0].company_name]) for group in groups]
        annotated = [surface_keys([c["name"], *c["surfaces"]]) for c in one.article["companies"]]
        for i, j in match(keys, annotated):
            pairs[one.article["companies"][j]["name"], groups[i][0].company_id] += 1
    return dict(pairs)


def split_or_merged(pairs: Mapping[tuple[str, str], int], right: set[tuple[str, str]]) -> tuple[int, list[str]]:
    """Number of annotated names, and a line for each that has two ids or shares one, unless all pairs are ``right``."""
    ids: dict[str, set[str]] = defaultdict(set)
    names: dict[str, set[str]] = defaultdict(set)
    for name, company_id in pairs:
        ids[name].add(company_id)
        names[company_id].add(name)
    wrong = []
    for name in sorted(ids):
        others = {(other, i) for i in ids[name] for other in names[i]} | {(name, i) for i in ids[name]}
        doubtful = sorted(others - right)
        if len(others) > 1 and any(pair[0] == name for pair in doubtful):
            wrong.append(f"{name}: {', '.join(f'{n} = {i}' for n, i in doubtful)}")
    return len(ids), wrong


def read_links() -> list[dict[str, str]]:
    with LINKS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def judged_right() -> set[tuple[str, str]]:
    with JUDGED.open(encoding="utf-8", newline="") as file:
        return {(row["name"], row["company_id"]) for row in csv.DictReader(file) if row["right"] == "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--errors", action="store_true", help="list what is wrong")
    arguments = parser.parse_args()
    items = articles(arguments.data)
    if not items:
        sys.exit(f"{arguments.data} holds no annotated articles: this benchmark needs them and skips without them")
    found = read(items)
    total, missed = linked_mentions(found, load_register())
    links = read_links()
    wrong = wrong_links(found, links)
    companies, faults = split_or_merged(identities(found), judged_right())
    print(f"linked    {1 - missed.total() / total:.3f} of {total:,} mentions of registered companies")
    print(f"right     {1 - len(wrong) / len(links):.3f} of {len(links)} links judged by reading")
    print(f"identity  {len(faults)} of {companies:,} companies split or merged ({len(faults) / companies:.2%})")
    if arguments.errors:
        print("\n".join([f"not linked: {missed.most_common(60)}", *wrong, *faults]))


if __name__ == "__main__":
    main()
