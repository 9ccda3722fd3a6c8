"""Toponyms of a document, resolved: which words name a place, and which place it is.

In: the document, the name spans that other methods found, the spans of organisations, the gazetteer.
Out: one ``LocationMention`` an occurrence, in text order, offsets exact, none overlapping. Candidates are the spans
labelled PLACE and the capitalised word sequences that the gazetteer knows as a safe name. Adjectives of nationality
and places inside a longer name (of a firm, a body, a person, a product) are left out. It never reads the network.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from pipeline.link.place_gazetteer import CANONICAL, DEMONYM, HEAD, NAMED, NEVER, Gazetteer, fold
from pipeline.link.places import resolve
from pipeline.records import Document, LocationMention, NameSpan
from pipeline.settings import Settings

Span = tuple[int, int]

# A name of at least this many inhabitants, or of a division of these countries, is a place wherever it is capitalised.
_SAFE_POPULATION = 150_000
# A smaller one only where the text expects a place.
_KNOWN_POPULATION = 3_000
_SAFE_KINDS = frozenset({"country", "continent", "region", "admin1"})
_OF = re.compile(
    r"\b(?:Bank|University|Institute|College|Ministry|Department|Court|Republic|Church|Museum|Duke|Prince|School|"
    r"Federation|Association|Chamber|Confederation|Reserve|Parliament|Commonwealth|Journal|Commission|Times) of"
    r"(?: the)? $"
)
_WORD = re.compile(r"[A-ZÀ-ÖØ-Þ](?:\.[A-Z])+\.?|[A-ZÀ-ÖØ-Þ][^\W_]*(?:['’][^\W_]{2,})*")
_LINK = re.compile(
    r"[ \u00a0\n-]|, (?=D\.?C\b)|\. (?=[A-Z])"
    r"| (?:and|of|the|de|do|upon|am|on|du|la|le|der|del) |-(?:de|sur|la|le|en|upon|on)-"
)
_LEADING = re.compile(r"\s*(?:(?:[Tt]he|THE)\s+(?!Hague\b))?(?=\S)")
_TRAILING = re.compile(
    r"(?:\s(?:region|area|province|county|state|coast|market))?(?:['’]s?|[,;:\s-]|(?<![A-Z])\.){0,4}$"
)
_CAPITAL = re.compile(r"\b(?:Washington|WASHINGTON),? D\.? ?C\b\.?")
_ABBREVIATED = re.compile(r"(?<=[A-Za-z], )([A-Z](?:[a-z]{1,4}\.|\. ?[A-Z]\.|[A-Z]\b(?![-\w])))")
_BEFORE = re.compile(r"\b(?:in|near|outside|around)\s$")
_DATELINE = re.compile(r"(?:,? \([A-Z]| ?[-–—]{1,2} |, [A-Z][a-z]+\.? \d{1,2} )")
_ATTRIBUTIVE = re.compile(r"\$| (?:dollars?|dlrs|gallons?|Bankruptcy|District|Judge|Treasur)\b")
_AIRPORT = re.compile(r" (?:[Ii]nternational )?[Aa]irport\b")
_DIRECTION = re.compile(
    r"\b(?:[Cc]entral|(?:[Nn]orth|[Ss]outh)(?:-?(?:east|west))?(?:ern)?|(?:[Ee]ast|[Ww]est)(?:ern)?)\s$"
)
_PIECE = re.compile(r"(?:[^,/(\n]|, ?(?=D\.? ?C\b))+")
_NAMES = frozenset({"COMPANY", "ORGANISATION", "PRODUCT", "PERSON"})
_LARGE = frozenset({"region", "country", "continent"})
_MOST_WORDS = 5
_FACILITY = re.compile(
    r"(?:[Aa]irport|Park|[Ss]tation|[Bb]ridge|[Dd]istrict|Ward|Port|Island|Valley|River|Strait|Square|Zone|Canyon|Creek|"
    r"Desert)$|^(?:Lake|Port|Mount|Cape) [A-Z]\w+$"
)
# Characters within which two places are taken to lie in one country, and how sure that is.
_NEARBY, _LOCAL_CONFIDENCE = 400, 0.4
_SAFE_DIVISION = 250_000


def find_locations(
    document: Document,
    name_spans: Sequence[NameSpan],
    organisations: Sequence[Span],
    gazetteer: Gazetteer,
    settings: Settings,
) -> list[LocationMention]:
    """All places that the document names, with confidence at least ``settings.thresholds.location``."""
    text = document.text
    named = [_trimmed(text, span.start, span.end) for span in name_spans if span.label == "PLACE"]
    others = sorted((span.start, span.end) for span in name_spans if span.label in _NAMES)
    people = [text[span.start : span.end].split() for span in name_spans if span.label == "PERSON"]
    surnames = {words[-1] for words in people if len(words) > 1}
    scanned = [span for span in _scan(text, gazetteer) if not _inside(span, others, strictly=True)]
    blocked = sorted(organisations)
    spans = _without_overlap([*_parts(text, named, gazetteer), *scanned])
    spans = [_extended(text, span, gazetteer) for span in spans if not _inside(span, blocked)]
    mentions = [
        (start, end, text[start:end]) for start, end in spans if _is_place(text, start, end, surnames, gazetteer)
    ]
    rows = [row for row in resolve(mentions, text, gazetteer) if not _is_adjective(row.surface, gazetteer)]
    rows = [_local(row, rows) if row.confidence == 0.0 and _FACILITY.search(row.surface) else row for row in rows]
    return [row for row in rows if row.confidence >= settings.thresholds.location]


def _local(row: LocationMention, rows: Sequence[LocationMention]) -> LocationMention:
    """A street, airport or district that no gazetteer lists: in the country of the nearest place that is resolved."""
    near = min(
        (other for other in rows if other.country_code and abs(other.start - row.start) <= _NEARBY),
        key=lambda other: abs(other.start - row.start),
        default=None,
    )
    return replace(row, country_code=near.country_code if near else None, confidence=_LOCAL_CONFIDENCE)


def _is_place(text: str, start: int, end: int, surnames: set[str], gazetteer: Gazetteer) -> bool:
    surface = text[start:end]
    if (
        gazetteer.caution.get(fold(surface)) == NEVER
        or _ATTRIBUTIVE.match(text, end)
        or _in_longer_name(text, (start, end), gazetteer)
    ):
        return False
    return surface not in surnames or bool(_BEFORE.search(text, max(0, start - 12), start))


def _extended(text: str, span: Span, gazetteer: Gazetteer) -> Span:
    """With the stop of an abbreviation ("Calif.") and the direction of a larger region ("eastern Europe")."""
    start, end = span
    if text[start : end + 1] in gazetteer.abbreviations:
        end += 1
    if airport := _AIRPORT.match(text, end):
        end = airport.end()
    before = _DIRECTION.search(text, max(0, start - 14), start)
    if before and any(place.kind in _LARGE for place, _ in gazetteer.lookup(text[before.start() : end])):
        start = before.start()
    return start, end


def _trimmed(text: str, start: int, end: int) -> Span:
    """The span without leading article or adverb and without trailing possessive or punctuation."""
    if lead := _LEADING.match(text, start, end):
        start = lead.end()
    if trail := _TRAILING.search(text, start, end):
        end = trail.start()
    return start, end


def _parts(text: str, spans: Iterable[Span], gazetteer: Gazetteer) -> list[Span]:
    """One span a place: "Reno, Nevada" and "Lyon and Turin" are two, "Washington, D.C." is one."""
    parts = []
    for start, end in spans:
        pieces = [(found.start(), found.end()) for found in _PIECE.finditer(text, start, end)]
        for piece in [(start, end)] if gazetteer.lookup(text[start:end]) else pieces:
            part = _trimmed(text, *piece)
            if part[0] < part[1] and not text[part[0]].islower():
                parts.append(part)
    return parts


def _scan(text: str, gazetteer: Gazetteer) -> list[Span]:
    """The longest names of the gazetteer, left to right: safe ones, known ones where a place is expected."""
    safe = _safe_names(gazetteer)
    words = [(found.start(), found.end()) for found in _WORD.finditer(text)]
    spans = [(found.start(), found.end()) for found in _CAPITAL.finditer(text)]
    index = 0
    while index < len(words):
        step = 1
        run = _longest_run(text, words, index)
        for last in range(run, index - 1, -1):
            start, end = words[index][0], words[last][1]
            name = fold(text[start:end])
            if (len(name) <= 3 and not text[start:end].isupper()) or not _stands_alone(text, start, end):
                continue
            if name in safe or (
                last == run and _expects_place(text, start, end) and _is_known(text[start:end], gazetteer)
            ):
                spans.append(_trimmed(text, start, end))
                step = last - index + 1
                break
        index += step
    for found in _ABBREVIATED.finditer(text):
        for form in (found[1], found[1].rstrip(".")):
            if form in gazetteer.abbreviations:
                spans.append((found.start(1), found.start(1) + len(form)))
                break
    return spans


def _expects_place(text: str, start: int, end: int) -> bool:
    """ "in X", a dateline, "X, Parent": where a name of the gazetteer that is also a word or surname is a place."""
    return bool(_BEFORE.search(text, max(0, start - 12), start)) or bool(
        (start == 0 or text[start - 1] == "\n") and _DATELINE.match(text, end)
    )


def _is_known(surface: str, gazetteer: Gazetteer) -> bool:
    return gazetteer.caution.get(fold(surface)) != NEVER and any(
        place.kind == "city" and place.population >= _KNOWN_POPULATION and name_class <= CANONICAL
        for place, name_class in gazetteer.lookup(surface)
    )


def _longest_run(text: str, words: Sequence[Span], index: int) -> int:
    """Index of the last word that may belong to one name with the word at ``index``."""
    last = index
    while (
        last + 1 < len(words)
        and last - index < _MOST_WORDS
        and _LINK.fullmatch(text, words[last][1], words[last + 1][0])
    ):
        last += 1
    return last


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Not a piece of a word, an address or a tag."""
    return not (start and (text[start - 1].isalnum() or text[start - 1] in "@#_/&.")) and not (
        end < len(text) and (text[end].isalnum() or text[end] in "@_&")
    )


@lru_cache(maxsize=2)
def _safe_names(gazetteer: Gazetteer) -> frozenset[str]:
    cities = gazetteer.names(frozenset({"city"}), _SAFE_POPULATION)
    larger = gazetteer.names(frozenset({"country", "continent", "region", "other"}))
    divisions = gazetteer.names(frozenset({"admin1"}), _SAFE_DIVISION)
    return frozenset(
        name for name, name_class in (*cities, *larger, *divisions) if name_class <= CANONICAL
    ) - gazetteer.words(NEVER, NAMED, HEAD)


def _inside(span: Span, blocks: Sequence[Span], strictly: bool = False) -> bool:
    """Is the span within one of ``blocks`` (sorted)? ``strictly``: and shorter than it."""
    position = bisect_right(blocks, (span[0], 1 << 60))
    for start, end in blocks[max(0, position - 3) : position]:
        if start <= span[0] and span[1] <= end and not (strictly and (start, end) == span):
            return True
    return False


def _in_longer_name(text: str, span: Span, gazetteer: Gazetteer) -> bool:
    """ "Detroit Auto Show", "Bank of England": the place only lends its name."""
    start, end = span
    following = re.compile(r" ([A-Z][\w]*)").match(text, end)
    if following and gazetteer.caution.get(following[1].casefold()) == HEAD:
        return True
    return bool(_OF.search(text, max(0, start - 40), start))


def _without_overlap(spans: Iterable[Span]) -> list[Span]:
    """Longer spans win over the shorter ones that they cross; in text order."""
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda each: (each[0], -each[1])):
        if kept and span[0] < kept[-1][1]:
            if span[1] - span[0] > kept[-1][1] - kept[-1][0]:
                kept[-1] = span
            continue
        kept.append(span)
    return kept


def _is_adjective(surface: str, gazetteer: Gazetteer) -> bool:
    """An adjective of nationality or a people ("German", "Swedes"), and no name of a place besides."""
    classes = {name_class for _, name_class in gazetteer.lookup(surface)}
    return classes == {DEMONYM} or (DEMONYM in classes and CANONICAL not in classes)
