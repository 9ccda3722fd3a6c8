"""Annotated articles -> token labels for the name model.

In: items in the annotation format (companies, not_companies, locations, optional_*), and a base pipeline whose
labels fill in what the annotation does not mark (people, dates, sums). Out: ``Labelled`` texts: labelled spans, and
spans whose label is unknown and must teach nothing. It reads files, writes none, and never looks at the dev set.

How a span gets its label:
- gold companies by their surfaces, every word-bounded occurrence, the longest surface first, as COMPANY; an
  occurrence inside a longer person or date of the base ("Henry Ford", "May 5") keeps the base's reading;
- gold places as PLACE, optional ones (datelines, "Beijing-based") too where the base agrees; the other optional ones,
  and optional companies, as unknown;
- not_companies as ORGANISATION or PRODUCT (``kind_of_other``);
- base people, dates and sums where they touch nothing gold; base organisations without gold are no companies (the
  annotation is complete): ORGANISATION if a word or the register says so, else nothing.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

Item = dict[str, Any]

ORGANISATION_WORD = re.compile(
    r"(?:\b(?:Universit\w+|Institut\w*|Ministr\w+|ministr\w+|Departments?|Commission\w*|Courts?|court|Council|Authorit\w+|"
    r"authorit\w+|Agency|agency|Associations?|Committee|Congress|Senate|House|Unions?|Party|Board|Bureau|"
    r"Administration|administration|Federation|Federal Reserve|Office|office|News|Times|Post|Journal|Herald|Daily|"
    r"Weekly|Magazine|Gazette|Tribune|Chronicle|Observer|Reuters|Press|Show|Exchange|School|College|Hospital|"
    r"Foundation|Club|Forum|Society|Workers|Parliament|Police|Army|Navy|Air Force|Government|government|regulator|"
    r"Treasury|Consortium|Laborator(?:y|ies)|Lab|Standards|Organi[sz]ation|Chamber|Center|Centre|Cent(?:er|re)s|"
    r"Local \d+|Conference|Summit|Expo|Cup|League|[Nn]ewspaper|Review|Zeitung|Business Wire|Newswire)\b)"
)
PRODUCT_SHAPE = re.compile(r"\d|^[a-z]+[A-Z]|^e-|\+$| (?:One|Pro|Max|Plus|Driver|Pilot|Drive|OS|Platform|Go)$")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with its spans ``(start, end, label)`` in characters; the label "?" marks an unknown one."""

    key: str
    text: str
    spans: tuple[tuple[int, int, str], ...]


def read_register(folder: Path) -> frozenset[str]:
    """Names and aliases of public bodies and publishers in the gazetteers."""
    names = set()
    for table in ("public_bodies.csv", "publishers.csv"):
        with (folder / table).open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                names.update([row["name"], *(row["aliases"] or "").split("|")])
    return frozenset(names - {""})


def read_products(folder: Path) -> frozenset[str]:
    """Names of products in the gazetteers."""
    with (folder / "products.csv").open(encoding="utf-8", newline="") as rows:
        return frozenset(row["name"] for row in csv.DictReader(rows))


def occurrences(text: str, surfaces: Iterable[tuple[str, str]]) -> list[tuple[int, int, str]]:
    """Word-bounded, case-sensitive occurrences of ``(surface, label)``; the longest surface takes its characters.

    "GM" in the instrument code "GM.N" is no occurrence.
    """
    taken = bytearray(len(text))
    found = []
    for surface, label in sorted(set(surfaces), key=lambda pair: (-len(pair[0]), pair)):
        for match in re.finditer(rf"(?<!\w){re.escape(surface)}(?!\w|\.[A-Z]{{1,2}}\b)", text):
            if surface and not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
                found.append((match.start(), match.end(), label))
    return sorted(found)


def label_items(
    items: list[Item], base_docs: list[Doc], register: frozenset[str], products: frozenset[str]
) -> Iterator[Labelled]:
    """Labels for annotated items, see the module's docstring; ``base_docs`` are the base's readings, in order."""
    kinds = _kinds_of_others(items, base_docs, register, products)
    companies = {s for item in items for company in item["companies"] for s in company["surfaces"]}
    places = {place["surface"] for item in items for place in item["locations"]}
    for item, base in zip(items, base_docs, strict=True):
        yield Labelled(item["id"], item["text"], tuple(_label(item, base, kinds, companies, places)))


def _label(
    item: Item, base: Doc, kinds: dict[str, str], companies: set[str], places: set[str]
) -> list[tuple[int, int, str]]:
    gold = occurrences(item["text"], _gold_surfaces(item, kinds))
    base_places = {(ent.start_char, ent.end_char) for ent in base.ents if ent.label_ in ("GPE", "LOC")}
    spans = [
        (start, end, label if label != "?PLACE" else "PLACE" if (start, end) in base_places else "?")
        for start, end, label in gold
        if not _inside_other_name((start, end, label), base, companies)
    ]
    taken = bytearray(len(item["text"]))
    for start, end, _ in spans:
        taken[start:end] = b"\1" * (end - start)
    last_names = {ent.text.split()[-1] for ent in base.ents if ent.label_ == "PERSON" and len(ent) > 1}
    for ent in base.ents:
        start, end = ent.start_char, ent.end_char
        if any(taken[start:end]):
            continue
        text = ent.text.removeprefix("the ").removeprefix("The ").removesuffix("'s").removesuffix("’s")
        start += ent.text.find(text)
        label = _silver_label(text, ent.label_, last_names, kinds, companies, places)
        if label:
            spans.append((start, start + len(text), label))
    return sorted(spans)


def _gold_surfaces(item: Item, kinds: dict[str, str]) -> Iterator[tuple[str, str]]:
    for company in item["companies"]:
        for surface in company["surfaces"]:
            yield surface, "COMPANY"
    for surface in item["not_companies"]:
        if not surface.islower():  # "transport bureau" is a description, not a name
            yield surface, kinds[surface]
    for place in item["locations"]:
        yield place["surface"], "PLACE"
    for field, label in (("optional_companies", "?"), ("optional_locations", "?PLACE")):
        for entry in item.get(field, ()):
            for surface in surfaces_of(entry):
                yield surface, label


def surfaces_of(entry: str | Item) -> list[str]:
    """The surfaces of an ``optional_*`` entry, which is a surface or an object."""
    return [entry] if isinstance(entry, str) else entry.get("surfaces") or [entry.get("surface") or entry["name"]]


def _inside_other_name(span: tuple[int, int, str], base: Doc, companies: set[str]) -> bool:
    """A company's surface that is only a part of a person's name or of a date."""
    start, end, label = span
    if label != "COMPANY":
        return False
    for ent in base.ents:
        if ent.start_char <= start and end <= ent.end_char and end - start < len(ent.text.removesuffix("'s")):
            if ent.label_ == "DATE":
                return True
            if ent.label_ == "PERSON" and ent.end_char - end <= 2 and 1 < len(ent) <= 3:
                return not any(token.text in companies or not token.is_title for token in ent[:-1])
    return False


def _silver_label(
    text: str, label: str, last_names: set[str], kinds: dict[str, str], companies: set[str], places: set[str]
) -> str | None:
    """The label of a base span that touches no gold; None for no name, "?" where the annotation may have a gap."""
    if label in ("DATE", "MONEY"):
        return label
    if label in ("ORG", "PRODUCT", "PERSON", "GPE", "LOC", "FAC", "WORK_OF_ART", "NORP", "EVENT", "LAW"):
        if text in kinds:
            return kinds[text]
        if text in last_names:
            return "PERSON"
        if text in companies or text in places:
            return "?"
    if label == "PERSON" and not any(c.isdigit() for c in text) and text[0].isupper():
        return "PERSON"
    if label in ("ORG", "FAC", "LAW") and ORGANISATION_WORD.search(text):
        return "ORGANISATION"
    if label == "PRODUCT" and not re.match(r"(?:SAE )?(?:Level|L|Tier|Layer) ?\d|V\d", text):
        return "PRODUCT"
    return None


def _kinds_of_others(
    items: list[Item], base_docs: list[Doc], register: frozenset[str], products: frozenset[str]
) -> dict[str, str]:
    """The kind of every not_companies surface of all items, by the register, its words, and the base's votes."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    follows_company: Counter[str] = Counter()
    people = {ent.text for doc in base_docs for ent in doc.ents if ent.label_ == "PERSON" and len(ent) > 1}
    first_names = {name for name, n in Counter(full.split()[0] for full in people).items() if n >= 3}
    companies = {s for item in items for company in item["companies"] for s in company["surfaces"]}
    for item, base in zip(items, base_docs, strict=True):
        for start, end, surface in occurrences(item["text"], [(s, s) for s in item["not_companies"]]):
            span = base.char_span(start, end, alignment_mode="expand")
            votes[surface][span[0].ent_type_ or "-"] += 1
            follows_company[surface] += span.start > 0 and base[span.start - 1].text in companies
    return {
        surface: kind_of_other(
            surface,
            votes[surface],
            follows_company[surface] > 0 or (" " in surface and surface.split()[0] in companies),
            register,
            products,
            first_names,
        )
        for item in items
        for surface in item["not_companies"]
    }


def kind_of_other(
    surface: str,
    votes: Counter[str],
    beside_company: bool,
    register: frozenset[str],
    products: frozenset[str],
    first_names: set[str],
) -> str:
    """ORGANISATION, PRODUCT or PERSON for a name that is no company.

    ``votes``: base labels of its occurrences; ``beside_company``: a company's name precedes or opens it.
    """
    if surface in register:
        return "ORGANISATION"
    if surface in products:
        return "PRODUCT"
    if ORGANISATION_WORD.search(surface):
        return "ORGANISATION"
    if beside_company or PRODUCT_SHAPE.search(surface):
        return "PRODUCT"
    winner = votes.most_common(1)[0][0] if votes else "-"
    if winner == "PERSON" and " " in surface and surface.split()[0] in first_names:
        return "PERSON"
    return "ORGANISATION" if winner in ("ORG", "GPE", "NORP", "FAC", "LAW", "EVENT") else "PRODUCT"


def token_tags(doc: Doc, spans: Iterable[tuple[int, int, str]]) -> list[str]:
    """BILUO tags of ``doc``; "-" for tokens of unknown spans and of spans that cut a token in two."""
    tags, text = ["O"] * len(doc), doc.text
    for start, end, label in spans:
        span = doc.char_span(start, end, alignment_mode="expand")
        if span is None:
            continue
        rest = text[span.start_char : start] + text[end : span.end_char]
        unknown = label == "?" or any(c.isalnum() for c in rest)
        crossing = any(token.is_sent_start for token in span[1:])
        for token in span:
            tags[token.i] = "-"
        if unknown or crossing or span[0].is_space or span[-1].is_space:
            continue
        if len(span) == 1:
            tags[span.start] = f"U-{label}"
        else:
            tags[span.start : span.end] = [f"B-{label}", *[f"I-{label}"] * (len(span) - 2), f"L-{label}"]
    return tags
