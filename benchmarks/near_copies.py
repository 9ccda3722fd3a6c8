"""How well near copies are found: precision and recall of pairs.

    python -m benchmarks.near_copies [--leads FILE] [--errors]

Constructed set: the project's own articles (``corpora/gold``), each with up to four copies as desks and aggregators
make them: another headline, dateline or credit, sentences dropped, the end cut, wordings and spellings changed,
a notice of the site added. Beside them stand twins, which are no copies: the same text about other firms, places and
sums, as monthly releases and templates have it. ``--leads``: short leads of a news feed with judged pairs
(``corpora/standoff/near_copies.json``: ids only), where template texts of market research are the traps.

A pair counts as found where both articles have one original. Right pairs: any two of one article and its copies.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from corpora.annotations import read_records
from pipeline import settings
from pipeline.duplicates import CopyIndex, signature

CORPORA = Path(__file__).parent.parent / "corpora"
JUDGED = CORPORA / "standoff" / "near_copies.json"

_SENTENCE = re.compile(r"(?<=[.!?”\"]) (?=[A-Z“\"])|\n+")
_WORDINGS = (
    (r"\bsaid\b", "told reporters"), (r"\bper ?cent\b|(?<=\d)%", " pct"), (r"\bmillion\b", "mln"),
    (r"\bwill\b", "is to"),
    (r"\bon (Mon|Tues|Wednes|Thurs|Fri)day\b", r"\1day"), (r"\bcompany\b", "firm"), (r"\bannounced\b", "said"),
    (r"ization\b", "isation"), (r"\bprogram\b", "programme"), (r"\bbut\b", "however"), (r"\babout\b", "around"),
    (r"\bbegin\b", "start"), (r"\bcars\b", "vehicles"), (r"\blast year\b", "a year ago"), (r"’", "'"),
)  # fmt: skip
_NOTICES = (
    "Sign up for our newsletter to get the best of mobility in your inbox every morning.",
    "This story was published from a wire agency feed without modifications to the text.",
    "Our editors pick what matters. Subscribe for full access, from 1.99 a week, cancel at any time.",
    "© All rights reserved. Reproduction in any form needs written consent of the publisher.",
)
_DATELINE = re.compile(r"^[A-Z][A-Za-z .,]{2,40}?\d{0,2} ?[-–—]+ ")


def edited(text: str, rng: random.Random) -> str:
    """A copy of the text as another outlet may print it: one to four changes."""
    headline, _, body = text.partition("\n")
    if not body:
        headline, body = "", text
    sentences = [s for s in _SENTENCE.split(_DATELINE.sub("", body)) if s.strip()]
    changes = rng.sample(("headline", "drop", "end", "words", "notice", "credit"), rng.randint(1, 4))
    if "headline" in changes:
        headline = " ".join(rng.sample(sentences[0].split(), min(8, len(sentences[0].split()))))
    if "drop" in changes and len(sentences) > 5:
        del sentences[rng.randrange(2, len(sentences))]
    if "end" in changes and len(sentences) > 4:
        sentences = sentences[: -max(1, len(sentences) // 5)]
    copy = " ".join(sentences)
    if "words" in changes:
        for pattern, other in rng.sample(_WORDINGS, 4):
            copy = re.sub(pattern, other, copy)
    if "notice" in changes:
        copy += "\n" + rng.choice(_NOTICES)
    if "credit" in changes:
        copy = f"{rng.choice(('By our correspondent', '(Agencies)', 'Staff and wires'))}\n{copy}"
    return f"{headline}\n{copy}".strip()


def twin(text: str, names: Sequence[str], rng: random.Random) -> str:
    """The same text about other firms, places and numbers: no copy."""
    for name in sorted(names, key=len, reverse=True):
        other = "".join(rng.choice("BDFGKLMNPRSTV") + rng.choice("aeiou") for _ in range(3)).capitalize()
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", other, text)
    return re.sub(r"\d", lambda _: str(rng.randint(1, 9)), text)


def constructed(seed: int = 0) -> tuple[list[str], list[int], list[str]]:
    """Texts in a shuffled order of arrival, the number of the article that each is a copy of, and its publisher.

    Copies have publishers of their own, twins that of the article.
    """
    rng = random.Random(seed)
    records = [*read_records(CORPORA / "gold" / "written.jsonl.gz"), *read_records(CORPORA / "gold" / "events.jsonl")]
    items: list[tuple[str, int, str]] = []
    for record in records:
        text = record["text"]
        if "copy_of" in record or len(text.split()) < 40:
            continue
        number = len(items)
        items.append((text, number, f"paper {number}"))
        items += [(edited(text, rng), number, f"paper {number} {n}") for n in range(rng.randint(0, 4))]
        names = [s for c in record["companies"] for s in c["surfaces"]] + [p["surface"] for p in record["locations"]]
        told = sum(len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text)) for name in names)
        if told > len(text.split()) / 12 and rng.random() < 0.5:  # a column that names nobody has no twin
            items.append((twin(text, names, rng), len(items), rng.choice((f"paper {number}", "another paper"))))
    rng.shuffle(items)
    return [text for text, _, _ in items], [number for _, number, _ in items], [publisher for _, _, publisher in items]


def pairs_found(texts: Sequence[str], publishers: Sequence[str]) -> set[tuple[int, int]]:
    near = settings.load().near_duplicates
    index = CopyIndex(near)
    group: dict[int, list[int]] = defaultdict(list)
    for number, text in enumerate(texts):
        original = index.add(str(number), signature(text, near), publishers[number])
        group[number if original is None else int(original)].append(number)
    return {pair for members in group.values() for pair in itertools.combinations(sorted(members), 2)}


def report(
    name: str, texts: Sequence[str], found: set[tuple[int, int]], right: set[tuple[int, int]], errors: bool
) -> None:
    hits = len(found & right)
    print(
        f"{name}: {len(texts)} texts, {len(right)} pairs of copies; precision {hits / max(1, len(found)):.3f}, "
        f"recall {hits / max(1, len(right)):.3f}"
    )
    for label, wrong in (("not copies", found - right), ("missed", right - found)):
        for left, other in sorted(wrong)[:12] if errors else ():
            print(f"  {label}: {' '.join(texts[left].split())[:110]!r} / {' '.join(texts[other].split())[:110]!r}")


def judged_leads(path: Path) -> tuple[list[str], list[str], set[tuple[int, int]], set[tuple[int, int]]]:
    """The leads' texts and publishers, the pairs judged copies, and those judged neither way."""
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    number = {row["id"]: index for index, row in enumerate(rows)}
    judged = json.loads(JUDGED.read_text(encoding="utf-8"))
    copies = {(number[left], number[right]) for left, right in judged["copies"]}
    open_pairs = {(number[left], number[right]) for left, right in judged["open"]}
    return [row["excerpt"] for row in rows], [row["publisher"] for row in rows], copies, open_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=Path)
    parser.add_argument("--errors", action="store_true")
    arguments = parser.parse_args()
    texts, numbers, publishers = constructed()
    right = {pair for pair in itertools.combinations(range(len(texts)), 2) if numbers[pair[0]] == numbers[pair[1]]}
    report("constructed", texts, pairs_found(texts, publishers), right, arguments.errors)
    if arguments.leads is None:
        return
    if not arguments.leads.exists():
        sys.exit(f"skipped: {arguments.leads} is not here (the leads belong to their publishers)")
    texts, publishers, right, unclear = judged_leads(arguments.leads)
    report("leads", texts, pairs_found(texts, publishers) - unclear, right - unclear, arguments.errors)


if __name__ == "__main__":
    main()
