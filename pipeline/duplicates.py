"""Near copies: which article tells, in nearly the same words, what an earlier one told.

In: the texts of documents in reading order. Out: for each the id of the first article it is a copy of, or
None. MinHash over word shingles (Broder 1997) with banding, so that a run stays linear in the number of
articles. A text that shares its wording with another one but not its names and numbers (a monthly release, a notice
written on a template) is no copy of it. Exact copies never come here: they have the same id (see ``pipeline.prepare``).

``signature`` depends on one text and on nothing else, so any worker may compute it; ``CopyIndex`` must see
the signatures in reading order, in one process. The result then depends neither on shards nor on workers.
Written with numpy rather than with datasketch (which brings scipy) or rensa (whose hashes may change with
its version): signatures computed today must equal those of later runs.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.settings import NearDuplicates

Hashes = npt.NDArray[np.uint32]

WORD = re.compile(r"\w+")
SEED = 20_101  # frozen: another seed makes other signatures
# Among pairs exactly at the threshold this share may be missed by the bands; pairs above it are missed less.
MAX_MISSED = 0.02
# Articles that share a band but are no copies (the same boilerplate) pile up in one bucket; a new article is
# compared with the first so many of them. Keeps the worst case linear.
MAX_BUCKET = 32
# Rows of the hash table (shingles × permutations) that are in memory at once.
SHINGLES_AT_ONCE = 4096
# Of the names and numbers of a long text the so many with the smallest hashes stand for all.
MAX_NAMES = 128
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*\w*|\w+")
_SMALL = re.compile(r"(?<!\w)[a-zß-öø-ÿ]\w+")
# "LEEDS, Oct 3 (Wire) - ", "(Wire) -- ": desks put it there, change it or cut it.
_DATELINE = re.compile(
    r"^(?:[A-Z][A-Z.'’ ]{0,30}[A-Z.](?:\s?[,(][^\n]{0,50}?)?|\([A-Z][^)\n]{0,30}\))\s?[-–—]{1,2}\s", re.M
)
# After these marks a sentence, a quotation or an item may begin, whose first word has a capital for that reason.
_OPENING = re.compile(r"[.!?:…\"“”•|–—]|--|\s-")
# A line with so large a share of capitalised words is a headline in title case: capitals there show no name.
TITLE_CASE, MIN_TITLE_WORDS = 0.7, 3
# An item so short has no room to repeat its subject, which is often its first word.
SHORT_WORDS = 30
# They tell no story apart: what any sentence may begin with, and the days of the week.
_GENERIC = """
    a about above according across after again against all almost along already also although always am among an and
    another any anyone are around as at be because been before behind being below between both but by can could did do
    does done down during each earlier either else even ever every everyone few first for former from further had has
    have having he her here his how however i if in including indeed inside instead into is it its itself just last
    later least less like many me meanwhile might more moreover most much must my neither never nevertheless new
    next no nobody none nor not nothing now of off on once one only onto or other others our out outside over own per
    perhaps rather same second several shall she should since so some soon still such than that the their them then
    there therefore these they third this those though three through thus to today together too toward towards two
    under unless unlike until up upon us very was we well were what when where whereas whether which while who whom
    whose why will with within without would yesterday yet you your
    monday tuesday wednesday thursday friday saturday sunday
"""
GENERIC = frozenset(_GENERIC.split())
# One outlet does not run a story twice, but prints its notices and templates under every story: two texts of one
# publisher are copies only where they are this similar.
ONE_PUBLISHER = 0.85


@dataclass(frozen=True, slots=True)
class Signature:
    """What is kept of a text: ``shingles`` has one minimum a permutation; ``names`` are sorted hashes, each once."""

    shingles: Hashes
    names: Hashes


def signature(text: str, settings: NearDuplicates) -> Signature:
    """The signature of ``text``: ``settings.permutations`` minima over its shingles, and its names."""
    shingles = _shingles(text, settings.shingle_words)
    factors, offsets = _permutations(settings.permutations)
    smallest = np.full(settings.permutations, np.iinfo(np.uint32).max, dtype=np.uint32)
    for start in range(0, len(shingles), SHINGLES_AT_ONCE):
        part = shingles[start : start + SHINGLES_AT_ONCE, None]
        # Multiply-add modulo 2^64, upper half: universal enough for 32-bit values (Dietzfelbinger 1996).
        hashed = ((part * factors + offsets) >> np.uint64(32)).astype(np.uint32)
        np.minimum(smallest, hashed.min(axis=0), out=smallest)
    return Signature(smallest, _hashed_names(text))


class CopyIndex:
    """The originals seen so far, to be fed in reading order. It grows by about 4 kB an original."""

    def __init__(self, settings: NearDuplicates) -> None:
        self._threshold = settings.threshold
        self._shared_names = settings.shared_names
        self._rows = band_rows(settings.permutations, settings.threshold)
        self._bands = settings.permutations // self._rows
        self._ids: list[str] = []
        self._names: list[Hashes] = []
        self._publishers: list[str | None] = []
        self._signatures = np.empty((1024, settings.permutations), dtype=np.uint32)
        self._buckets: dict[int, list[int] | int] = {}

    def add(self, article_id: str, signed: Signature, publisher: str | None = None) -> str | None:
        """The id of the first original that this article is a copy of; None makes it an original itself.

        An id that is known as an original already gives None.
        """
        keys = self._keys(signed.shingles)
        candidates = np.array(sorted({n for key in keys for n in _numbers(self._buckets.get(key))}), dtype=np.int64)
        if len(candidates):
            similar = (self._signatures[candidates] == signed.shingles).mean(axis=1)
            for number, similarity in zip(candidates.tolist(), similar.tolist(), strict=True):
                if similarity >= self._threshold and self._is_copy(number, signed, publisher, similarity):
                    return self._ids[number] if self._ids[number] != article_id else None
        self._publishers.append(publisher)
        self._insert(article_id, signed, keys)
        return None

    def _is_copy(self, number: int, signed: Signature, publisher: str | None, similarity: float) -> bool:
        if publisher is not None and publisher == self._publishers[number] and similarity < ONE_PUBLISHER:
            return False
        return shared_names(signed.names, self._names[number]) >= self._shared_names

    def _insert(self, article_id: str, signed: Signature, keys: list[int]) -> None:
        number = len(self._ids)
        if number == len(self._signatures):
            self._signatures = np.concatenate([self._signatures, np.empty_like(self._signatures)])
        self._signatures[number] = signed.shingles
        self._names.append(signed.names)
        self._ids.append(article_id)
        for key in keys:
            held = self._buckets.get(key)
            if held is None:
                self._buckets[key] = number
            elif isinstance(held, int):
                self._buckets[key] = [held, number]
            elif len(held) < MAX_BUCKET:
                held.append(number)

    def _keys(self, signed: Hashes) -> list[int]:
        """One 64-bit key for each band; the band's number is part of it."""
        rows = signed[: self._bands * self._rows].reshape(self._bands, self._rows).astype(np.uint64)
        keys = np.arange(1, self._bands + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        for column in range(self._rows):
            keys = (keys ^ rows[:, column]) * np.uint64(0xFF51AFD7ED558CCD)
            keys ^= keys >> np.uint64(33)
        return [int(key) for key in keys]


@functools.cache
def band_rows(permutations: int, threshold: float) -> int:
    """Rows in a band: the most that find a pair at ``threshold`` with probability 1 - ``MAX_MISSED``.

    A pair of similarity s shares one of b bands of r rows with probability 1 - (1 - s^r)^b. More rows mean
    fewer useless comparisons.
    """
    fitting = [
        rows for rows in range(1, permutations + 1) if (1 - threshold**rows) ** (permutations // rows) <= MAX_MISSED
    ]
    return max(fitting, default=1)


def shared_names(left: Hashes, right: Hashes) -> float:
    """The share of the names of the text with fewer of them that the other one has too, 0 to 1; 1 where it has none."""
    if MAX_NAMES in (len(left), len(right)):  # compare where both samples are complete
        last = min(each[-1] for each in (left, right) if len(each) == MAX_NAMES)
        left, right = left[left <= last], right[right <= last]
    fewer = min(len(left), len(right))
    return len(np.intersect1d(left, right, assume_unique=True)) / fewer if fewer else 1.0


def names(text: str) -> set[str]:
    """What tells the story of ``text`` from others on one template, in small letters: its proper names and numbers.

    A capitalised word is a name inside a sentence. Where any word has a capital, at the start of a sentence or in a
    headline in title case, it must be repeated, or be the first word of a short text. Words that the text has in small
    letters too are none, and neither are generic ones and those of a dateline.
    """
    text = _DATELINE.sub("", text)
    found: set[str] = set()
    unsure: Counter[str] = Counter()
    tokens = _TOKEN.findall(text)
    if 0 < len(tokens) <= SHORT_WORDS and _may_be_name(tokens[0]):
        found.add(tokens[0].casefold())
    for line in text.splitlines():
        title_case, end = _is_title_case(_TOKEN.findall(line)), 0
        for token in _TOKEN.finditer(line):
            word, starts = token[0].casefold(), not end or _OPENING.search(line, end, token.start()) is not None
            end = token.end()
            if word[0].isdigit() or (_may_be_name(token[0]) and not starts and not title_case):
                found.add(word)
            elif _may_be_name(token[0]):
                unsure[word] += 1
    return (found | {word for word, count in unsure.items() if count > 1}) - set(_SMALL.findall(text))


def _may_be_name(word: str) -> bool:
    return word[0].isupper() and len(word) > 1 and word.casefold() not in GENERIC


def _is_title_case(words: Sequence[str]) -> bool:
    telling = [word for word in words if word[0].isalpha() and word.casefold() not in GENERIC]
    capitals = sum(word[0].isupper() for word in telling)
    return len(telling) >= MIN_TITLE_WORDS and capitals >= TITLE_CASE * len(telling)


def _hashed_names(text: str) -> Hashes:
    hashes = {zlib.crc32(name.encode("utf-8", "replace")) for name in names(text)}
    return np.array(sorted(hashes)[:MAX_NAMES], dtype=np.uint32)


def _shingles(text: str, words: int) -> npt.NDArray[np.uint64]:
    """A 64-bit hash for each distinct run of ``words`` words; letter case and punctuation do not count."""
    tokens = WORD.findall(text.casefold())
    hashes = np.array([zlib.crc32(token.encode("utf-8", "replace")) for token in tokens], dtype=np.uint64)
    count = max(1, len(hashes) - words + 1)
    mixed = np.zeros(count, dtype=np.uint64)
    for offset in range(min(words, len(hashes))):
        mixed = (mixed ^ hashes[offset : offset + count]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


@functools.cache
def _permutations(count: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Odd factors and offsets of ``count`` hash functions, the same on every machine."""
    # SplitMix64 instead of numpy's generators, whose streams may change between versions.
    state = np.arange(1, 2 * count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(SEED)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    state ^= state >> np.uint64(31)
    return state[:count] | np.uint64(1), state[count:]


def _numbers(held: Any) -> list[int]:
    return [] if held is None else [held] if isinstance(held, int) else held
