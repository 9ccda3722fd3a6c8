"""How well near copies are found: precision and recall of pairs.

    python -m benchmarks.near_copies [--leads FILE] [--errors]

Constructed set: the project's own articles (``corpora/gold``), each with up to four copies as desks and aggregators
make them: another headline, dateline or credit, sentences dropped, the end cut, wordings and spellings changed,
a notice of the site added. Beside them stand twins, which are no copies: the same text about other firms, places and
sums, as monthly releases and templates have it. Templated set: 60 short items on six templates, the slots filled from
small pools so that some agree by chance; every pair found is an error.

``--leads``: short leads of a news feed with pairs labelled by a rule (``corpora/standoff/near_copies.json``, ids only),
not by reading each. Copies share .7 of the three-word runs of the shorter text; pairs that share .4 to .7 are open and
do not count; those on one market-research or advertising template are told apart by their titles; eight pairs were
corrected by eye. The rule looks at words as the product does, so the figures compare versions and flatter all.

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
TEMPLATED_SETS = 10
LABELLED = CORPORA / "standoff" / "near_copies.json"

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
_TEMPLATES = (
    "{firm} starts Level 4 tests in {city}\n{firm} said it has started testing Level 4 vehicles in {city} "
    "with {partner}. The company raised ${n} million in {month}. It plans to open an office in {town} in "
    "{year}, where {m} vehicles will carry passengers for a small fee. Safety drivers stay on board until the"
    " authority has seen the results.",
    "{city} grants {firm} a permit\nThe transport department of {city} has granted {firm} a permit to operate"
    " {m} driverless vehicles on public roads, a notice published on {month} {day} shows. The permit is valid"
    " until {year} and covers the road to {town}. Holders must report every collision within ten days. The "
    "vehicles are supplied by {partner}.",
    "{firm} Reports Second Quarter Results\n{capitals}, {month} {day}, {year} - {firm} today reported revenue"
    " of ${n}.{m} million for the second quarter, compared with ${k} million a year earlier. Net loss was "
    '${m} million. "We delivered another strong quarter," said Chief Executive Officer {person}. The company '
    "will hold a conference call today at 5 p.m. Eastern Time. A replay will be available on the investor "
    "relations section of the website.",
    "{partner} lifts stake in {firm}\n{partner} has raised its stake in {firm} to {day}.{m} percent, "
    "according to a filing with the Securities and Exchange Commission on {month} {day}. The shares were "
    "bought at an average price of ${n}. The fund did not say whether it plans to seek a seat on the board. A"
    " representative of the company could not be reached.",
    "{firm} delivered {n},{k} vehicles in {month}, {day} percent more than a year before, the company said on"
    " {weekday}. Exports rose {m} percent, led by deliveries to {city}. Sales at the plant in {town} were "
    "little changed. Analysts had expected a somewhat weaker month after a shortage of chips. The company "
    "kept its forecast for {year}.",
    "{firm} has received a permit to test {m} driverless vehicles on public roads in {city}, the transport "
    "department said on {weekday}. The permit is valid for two years and may be extended.",
)
_SLOTS = {
    "firm": ("Waymo", "Aurora", "May Mobility", "Bot Auto", "Navetta", "Kestrel Drive"),
    "partner": ("Halden Capital", "Northgate Motors", "Sund Ventures", "Volvo", "Uber", "Rheinbogen"),
    "month": ("January", "March", "April", "May", "August", "November"),
    "weekday": ("Monday", "Tuesday", "Thursday"),
    "year": ("2024", "2025", "2026"),
    "person": ("Anna Holm", "Park Min-seo", "James Oduya", "Ruth Adeyemi"),
}
_CITIES = ("Austin", "Zurich", "Abu Dhabi", "Singapore", "Leeds", "Osaka")
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


def templated(seed: int = 0, items: int = 60) -> list[str]:
    """Short items that no two tell the same: the sentences of six templates with other slots."""
    rng = random.Random(seed)
    texts = []
    for number in range(items):
        slots = {slot: rng.choice(values) for slot, values in _SLOTS.items()}
        slots["city"], slots["town"] = rng.sample(_CITIES, 2)
        figures = {
            "n": rng.randint(10, 99),
            "m": rng.randint(3, 60),
            "k": rng.randint(100, 900),
            "day": rng.randint(2, 28),
        }
        template = _TEMPLATES[number % len(_TEMPLATES)]
        texts.append(template.format(**slots, **figures, capitals=slots["city"].upper()))
    return texts


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


def labelled_leads(path: Path) -> tuple[list[str], list[str], set[tuple[int, int]], set[tuple[int, int]]]:
    """The leads' texts and publishers, the pairs labelled copies, and those labelled neither way."""
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    number = {row["id"]: index for index, row in enumerate(rows)}
    labelled = json.loads(LABELLED.read_text(encoding="utf-8"))
    copies = {(number[left], number[right]) for left, right in labelled["copies"]}
    open_pairs = {(number[left], number[right]) for left, right in labelled["open"]}
    return [row["excerpt"] for row in rows], [row["publisher"] for row in rows], copies, open_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=Path)
    parser.add_argument("--errors", action="store_true")
    arguments = parser.parse_args()
    texts, numbers, publishers = constructed()
    right = {pair for pair in itertools.combinations(range(len(texts)), 2) if numbers[pair[0]] == numbers[pair[1]]}
    report("constructed", texts, pairs_found(texts, publishers), right, arguments.errors)
    found_of = [
        len(pairs_found(items, [f"paper {n}" for n in range(len(items))]))
        for items in map(templated, range(TEMPLATED_SETS))
    ]
    on_one_template = TEMPLATED_SETS * len(_TEMPLATES) * 45  # ten items a template
    print(f"templated: {TEMPLATED_SETS} x 60 texts, {sum(found_of)} of {on_one_template} pairs on one template found")
    if arguments.leads is None:
        return
    if not arguments.leads.exists():
        sys.exit(f"skipped: {arguments.leads} is not here (the leads belong to their publishers)")
    texts, publishers, right, unclear = labelled_leads(arguments.leads)
    report("leads", texts, pairs_found(texts, publishers) - unclear, right - unclear, arguments.errors)


if __name__ == "__main__":
    main()
