"""The place gazetteer in memory: a name in, the places that bear it out.

In: ``corpora/gazetteers/places.parquet`` and ``places_names.parquet`` (built by ``corpora.build_places`` from GeoNames,
CC BY 4.0, and our lists). Out: ``Gazetteer``, which answers ``lookup(surface)`` with every place of that name, from
arrow columns and a binary search, so that 300,000 places cost tens of megabytes. It does not choose between places.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

FOLDER = Path(__file__).parents[2] / "corpora" / "gazetteers"

# How a place comes by a name. PREFERRED: our lists say that the bare name means this place unless the text objects.
PREFERRED, CANONICAL, ALIAS, DEMONYM = 0, 1, 2, 3

# Rules of places_caution.csv: a word that is no place by itself; one that is a place only where a name was found (its
# name is as often a word, a surname or a brand); one that heads the name of a body or event ("Detroit Auto Show").
NEVER, NAMED, HEAD = "never", "named", "head"

_UNACCENTED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "‐": " ", "‑": " ", "–": " "}
)
_DROPPED = re.compile(r"[.'’‘`ʼʻ]")
_GAPS = re.compile(r"[\s\-,/]+")
_SHORT = {"saint": "st", "sainte": "ste", "mount": "mt", "fort": "ft"}


@lru_cache(maxsize=50_000)
def fold(surface: str) -> str:
    """One spelling for one name: no case, accents, stops, hyphens, leading article; "Saint", "Mount", "Fort" short."""
    text = unicodedata.normalize("NFKD", surface.casefold().translate(_UNACCENTED))
    text = _DROPPED.sub("", "".join(char for char in text if not unicodedata.combining(char)))
    words = _GAPS.sub(" ", text).split()
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    return " ".join(_SHORT.get(word, word) if len(words) > 1 else word for word in words)


@dataclass(frozen=True, slots=True)
class Place:
    """A record of the gazetteer. ``kind``: city, admin1, admin2, country, continent, region, other (district, sea)."""

    row: int
    geoname_id: str | None
    name: str
    kind: str
    country: str | None  # ISO 3166-1 alpha-2
    admin1: str | None  # GeoNames code, "US.CA"
    latitude: float
    longitude: float
    population: int


class Gazetteer:
    """Places by name. ``abbreviations`` are exact and only good as the second part of "X, Parent" ("Calif.", "ON");
    ``caution`` holds names that are also words (folded name -> rule)."""

    def __init__(
        self, places: Any, names: Any, abbreviations: dict[str, tuple[str, ...]], caution: dict[str, str]
    ) -> None:
        self._id = places["geoname_id"].to_numpy()
        self._name = places["name"].combine_chunks()
        self._labels = {
            column: places[column].combine_chunks().dictionary.to_pylist() for column in ("kind", "country", "admin1")
        }
        self._codes = {
            column: places[column].combine_chunks().indices.fill_null(-1).to_numpy(zero_copy_only=False)
            for column in self._labels
        }
        self._position = np.stack([places["latitude"].to_numpy(), places["longitude"].to_numpy()], axis=1)
        self._population = places["population"].to_numpy()
        keys = names["name"].combine_chunks()
        self._offsets = memoryview(keys.buffers()[1]).cast("i")
        self._keys = keys.buffers()[2].to_pybytes()
        self._places = names["place"].to_numpy()
        self._classes = names["name_class"].to_numpy()
        self.abbreviations = abbreviations
        self.caution = caution
        self.admin1_names = self._division_names()
        self.demonyms = self._demonyms()
        self._lookup = lru_cache(maxsize=20_000)(self._search)

    def _division_names(self) -> dict[str, str]:
        """Code of a first-order division -> its name."""
        rows = np.flatnonzero(self._codes["kind"] == self._labels["kind"].index("admin1"))
        labels, codes = self._labels["admin1"], self._codes["admin1"]
        return {labels[codes[row]]: self._name[int(row)].as_py() for row in rows}

    def _demonyms(self) -> dict[str, str]:
        """Folded adjective of nationality -> country code."""
        found = {}
        for index in np.flatnonzero(self._classes == DEMONYM).tolist():
            found[self._key(index).decode()] = self.place(int(self._places[index])).country or ""
        return found

    def place(self, row: int) -> Place:
        label = {
            column: labels[code] if (code := self._codes[column][row]) >= 0 else None
            for column, labels in self._labels.items()
        }
        number = int(self._id[row])
        return Place(
            row=row,
            geoname_id=str(number) if number else None,
            name=self._name[row].as_py(),
            kind=label["kind"] or "other",
            country=label["country"],
            admin1=label["admin1"],
            latitude=float(self._position[row, 0]) / 1000,
            longitude=float(self._position[row, 1]) / 1000,
            population=int(self._population[row]),
        )

    def lookup(self, surface: str) -> tuple[tuple[Place, int], ...]:
        """Every (place, class of the name) whose name folds like ``surface``; empty where none does."""
        return self._lookup(fold(surface))

    def words(self, *rules: str) -> frozenset[str]:
        """Folded names that ``places_caution.csv`` lists under one of ``rules``."""
        return frozenset(name for name, rule in self.caution.items() if rule in rules)

    def _key(self, index: int) -> bytes:
        return self._keys[self._offsets[index] : self._offsets[index + 1]]

    def _search(self, name: str) -> tuple[tuple[Place, int], ...]:
        wanted = name.encode()
        count = len(self._classes)
        index = bisect_left(range(count), wanted, key=self._key)
        found = []
        while wanted and index < count and self._key(index) == wanted:
            found.append((self.place(int(self._places[index])), int(self._classes[index])))
            index += 1
        return tuple(found)

    def names(self, kinds: frozenset[str], min_population: int = 0) -> list[tuple[str, int]]:
        """Folded name and class of all places of ``kinds`` with at least ``min_population`` inhabitants."""
        wanted = np.array([label in kinds for label in self._labels["kind"]])
        good = wanted[self._codes["kind"]] & (self._population >= min_population)
        return [
            (self._key(int(index)).decode(), int(self._classes[index])) for index in np.flatnonzero(good[self._places])
        ]


def load_gazetteer(folder: Path = FOLDER) -> Gazetteer:
    """Read the built tables. Raises ``FileNotFoundError`` where they are absent."""
    abbreviations: dict[str, tuple[str, ...]] = {}
    with (folder / "places_abbreviations.csv").open(encoding="utf-8", newline="") as file:
        for entry in csv.DictReader(file):
            for short in entry["abbreviations"].split("|"):
                abbreviations[short] = (*abbreviations.get(short, ()), entry["code"])
    with (folder / "places_caution.csv").open(encoding="utf-8", newline="") as file:
        caution = {fold(entry["name"]): entry["rule"] for entry in csv.DictReader(file)}
    return Gazetteer(
        pq.read_table(folder / "places.parquet"), pq.read_table(folder / "places_names.parquet"), abbreviations, caution
    )
