"""Are deals of many articles joined into the right events, under any order of arrival, and how fast?

    python -m benchmarks.events [GOLD] [--pipeline] [--errors]
    python -m benchmarks.events --deals 1000000

With gold deals: B-cubed precision, recall and F1 (Bagga & Baldwin 1998) of the events over the annotated deals, beside
two simple answers: the same type, parties and places, and the same type and parties. ``--pipeline`` takes the rows that
roadwire itself extracts; each is matched to the annotated deal of its article that it fits best, and rows that fit none
are left out and counted. ``--deals``: seconds and peak memory for so many synthetic deals.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpora.annotations import read_records
from pipeline import tables
from pipeline.events import assign, event_ids, order
from pipeline.extract.deals import ROLES
from pipeline.link.place_gazetteer import Gazetteer, load_gazetteer
from pipeline.link.places import resolve

GOLD = Path(__file__).parent.parent / "corpora" / "gold" / "events.jsonl"


def gold_tables(records: Sequence[dict[str, Any]], gazetteer: Gazetteer) -> dict[str, pa.Table]:
    """The annotated articles as the tables of a perfect run. ``deal_id`` is ID:NUMBER."""
    articles, sightings, locations, deals = [], [], [], []
    for record in records:
        published = datetime.fromisoformat(record["published"]).replace(tzinfo=UTC)
        key = {"article_id": record["id"], "publisher": record["source"], "published_at": published}
        articles.append({**key, "duplicate_of": record.get("copy_of")})
        sightings.append(key)
        places = {}
        for place in record["locations"]:
            start = record["text"].find(place["surface"])
            found = resolve([(max(start, 0), max(start, 0) + len(place["surface"]), place["surface"])], "", gazetteer)
            row = found[0] if found and found[0].country_code == place["country"] else None
            places[place["name"]] = {
                "name": place["name"],
                "country_code": place["country"],
                "geoname_id": row.geoname_id if row else None,
            }
            locations.append({**places[place["name"]], "kind": place["kind"], "admin1": row.admin1 if row else None})
        for number, deal in enumerate(record["deals"]):
            acting, other = ROLES[deal["type"]]
            deals.append(
                {
                    "deal_id": f"{record['id']}:{number}",
                    "event_id": deal["event"],
                    "article_id": record["id"],
                    "deal_type": deal["type"],
                    "status": deal["status"],
                    "parties": [
                        {"company_id": name, "company_name": name, "role": acting if i == 0 else other}
                        for i, name in enumerate(deal["parties"])
                    ],
                    "locations": [places[name] for name in deal["locations"]],
                    "amount": deal["amount"],
                    "currency": deal["currency"],
                    "announced_on": None if deal.get("background") else published.date(),
                    "evidence": deal["evidence"],
                    "evidence_start": 0,
                    "evidence_end": len(deal["evidence"]),
                    "confidence": 1.0,
                }
            )
    rows = {"articles": articles, "sightings": sightings, "locations": locations, "deals": deals}
    return {name: _table(values, tables.SCHEMAS[name]) for name, values in rows.items()}


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table with all columns of the schema; what they lack is null."""
    return pa.Table.from_pylist(rows, schema=pa.schema([field.with_nullable(True) for field in schema]))


def b_cubed(found: Sequence[Hashable], right: Sequence[Hashable]) -> tuple[float, float, float]:
    """Precision, recall and F1, each item weighing the same (Bagga & Baldwin 1998)."""
    both = Counter(zip(found, right, strict=True))
    of_found, of_right = Counter(found), Counter(right)
    precision = sum(n * n / of_found[f] for (f, _), n in both.items()) / len(found)
    recall = sum(n * n / of_right[r] for (_, r), n in both.items()) / len(found)
    return precision, recall, 2 * precision * recall / (precision + recall)


def measure(made: dict[str, pa.Table], right: dict[str, str], errors: bool) -> None:
    """Print the figures for deals whose event is known; ``right``: deal id -> event."""
    tellings = order(made["deals"], made["articles"], made["sightings"], made["locations"])
    numbers = assign(tellings)
    ids = event_ids(tellings, numbers)
    rows = tellings.table.to_pylist()
    kept = [index for index, row in enumerate(rows) if row["deal_id"] in right]
    truth = [right[rows[index]["deal_id"]] for index in kept]
    parties = [(rows[i]["deal_type"], tuple(sorted(p["company_id"] for p in rows[i]["parties"]))) for i in kept]
    places = [tuple(sorted(p["name"] for p in rows[i]["locations"])) for i in kept]
    answers: dict[str, list[Hashable]] = {
        "same type, parties and places": list(zip(parties, places, strict=True)),
        "same type and parties": list(parties),
        "events": [ids[numbers[i]] for i in kept],
    }
    for name, found in answers.items():
        p, r, f = b_cubed(found, truth)
        counts = f"{len(found)} deals, {len(set(truth))} events, {len(set(found))} found"
        print(f"{name}: P {p:.3f} R {r:.3f} F1 {f:.3f} ({counts})")
    if errors:
        _show([rows[i] for i in kept], truth, answers["events"])


def _show(rows: list[dict[str, Any]], truth: list[str], found: list[Hashable]) -> None:
    by_truth, by_found = defaultdict(set), defaultdict(set)
    for event, own in zip(truth, found, strict=True):
        by_truth[event].add(own)
        by_found[own].add(event)
    for row, event, own in zip(rows, truth, found, strict=True):
        if len(by_truth[event]) > 1 or len(by_found[own]) > 1:
            names = ", ".join(p["company_id"] for p in row["parties"])
            where = ", ".join(p["name"] for p in row["locations"])
            print(f"  {event:26} {own} {row['deal_id']} {row['deal_type']} {row['status']} [{names}] [{where}]")


def extracted(records: Sequence[dict[str, Any]]) -> tuple[dict[str, pa.Table], dict[str, str]]:
    """The tables of a run over the texts, and for each row that fits an annotated deal the event of that one."""
    from pipeline import settings
    from pipeline.records import Article
    from pipeline.run import load_models, run_batch

    chosen = settings.load()
    items = [
        Article(f"{r['id']}.txt", r["text"], publisher=r["source"], published=r["published"], url=None) for r in records
    ]
    made = run_batch(items, "events", chosen, load_models(chosen))
    article_of = {row["source_uri"].removesuffix(".txt"): row["article_id"] for row in made["articles"].to_pylist()}
    rows_of = defaultdict(list)
    for row in made["deals"].to_pylist():
        rows_of[row["article_id"]].append(row)
    right: dict[str, str] = {}
    annotated = sum(len(record["deals"]) for record in records)
    for record in records:
        surfaces = {c["name"]: {s.casefold() for s in (c["name"], *c["surfaces"])} for c in record["companies"]}
        fits = []
        for row in rows_of[article_of.get(record["id"], "")]:
            names = [p["company_name"].casefold() for p in row["parties"]]
            for deal in record["deals"]:
                shared = sum(any(name in surfaces[party] for name in names) for party in deal["parties"])
                score = 2 * shared / (len(names) + len(deal["parties"])) + (row["deal_type"] == deal["type"])
                if shared and score > 0.5:
                    fits.append((score, row["deal_id"], deal["event"]))
        taken: set[str] = set()
        for _, deal_id, event in sorted(fits, reverse=True):
            if deal_id not in right and event not in taken:
                right[deal_id] = event
                taken.add(event)
    print(f"{made['deals'].num_rows} rows, {len(right)} of them fit one of {annotated} annotated deals")
    return made, right


def synthetic(count: int, seed: int = 0) -> dict[str, pa.Table]:
    """Deals of a made-up archive: firms as unequal as real ones, three tellings an event on average, 15 years."""
    draw = np.random.default_rng(seed)
    events = max(1, count // 3)
    firms, towns = 20_000, 3_000
    kinds = np.array(list(ROLES))
    event_of = np.sort(draw.integers(0, events, count))
    first = np.minimum((draw.pareto(1.1, events) * 8).astype(int), firms - 1)
    second = draw.integers(0, firms, events)
    town = draw.integers(0, towns, events)
    kind = draw.integers(0, len(kinds), events)
    begun = draw.integers(0, 15 * 365, events)
    amount = np.round(draw.lognormal(17, 1.5, events), -5)
    later = np.where(draw.random(count) < 0.75, draw.integers(0, 5, count), draw.integers(0, 500, count))
    day = np.datetime64("2010-01-01") + begun[event_of] + later
    partner_told, town_told, priced = (draw.random(count) < share for share in (0.85, 0.6, 0.3))
    rng = random.Random(seed)
    statuses = ("in_talks", "planned", "agreed", "active", "completed", "cancelled")
    deals, articles = [], []
    for row in range(count):
        event = int(event_of[row])
        names = [f"firm-{first[event]}"] + ([f"firm-{second[event]}"] if partner_told[row] else [])
        told = day[row].astype(date)
        article = f"a{row // 2 if rng.random() < 0.3 else row:07d}"
        where = [f"town-{town[event]}"] if town_told[row] else []
        price = float(amount[event]) if priced[row] else None
        deals.append((f"d{row:07d}", article, str(kinds[kind[event]]), rng.choice(statuses), names, where, price, told))
        articles.append((article, told))
    return _synthetic_tables(deals, dict(articles))


def _synthetic_tables(deals: list[tuple[Any, ...]], articles: dict[str, date]) -> dict[str, pa.Table]:
    columns = list(zip(*deals, strict=True))
    schema = tables.DEALS
    parties = [[{"company_id": n, "company_name": n, "role": "partner"} for n in names] for names in columns[4]]
    places = [[{"name": n, "country_code": "DE", "geoname_id": n} for n in names] for names in columns[5]]
    values = {
        "deal_id": columns[0], "event_id": columns[0], "article_id": columns[1], "deal_type": columns[2],
        "status": columns[3], "parties": parties, "locations": places, "amount": columns[6],
        "currency": [None if a is None else "EUR" for a in columns[6]], "announced_on": columns[7],
        "evidence": ["The two firms said so."] * len(deals), "confidence": [0.5] * len(deals),
    }  # fmt: skip
    arrays = {
        field.name: pa.array(values[field.name], field.type)
        if field.name in values
        else pa.nulls(len(deals), field.type)
        for field in schema
    }
    ids = list(articles)
    times = pa.array([articles[i] for i in ids]).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    publishers = pa.array([f"paper-{n % 200}" for n in range(len(ids))])
    empty = pa.nulls(len(ids), pa.string())
    known = {"article_id": pa.array(ids), "published_at": times, "publisher": publishers, "duplicate_of": empty}
    towns = sorted({name for names in columns[5] for name in names})
    located = [{"name": n, "geoname_id": n, "kind": "city", "country_code": "DE", "admin1": None} for n in towns]
    return {
        "deals": pa.table(arrays),
        "articles": pa.table(known),
        "sightings": pa.table(known),
        "locations": _table(located, tables.LOCATIONS),
    }


def time_synthetic(count: int) -> None:
    made = synthetic(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{count:,} synthetic deals made; peak memory so far {before:.2f} GB", flush=True)
    begun, used = time.perf_counter(), time.process_time()
    tellings = order(made["deals"], made["articles"], made["sightings"], made["locations"])
    ordered = time.perf_counter()
    numbers = assign(tellings)
    assigned = time.perf_counter()
    ids = event_ids(tellings, numbers)
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"order {ordered - begun:.0f} s, assign {assigned - ordered:.0f} s, ids {done - assigned:.0f} s, "
        f"together {done - begun:.0f} s ({time.process_time() - used:.0f} s of CPU); "
        f"{len(ids):,} events; peak memory {peak:.2f} GB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path, nargs="?", default=GOLD)
    parser.add_argument("--pipeline", action="store_true")
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--deals", type=int)
    arguments = parser.parse_args()
    if arguments.deals:
        time_synthetic(arguments.deals)
        return
    if not arguments.gold.exists():
        sys.exit(f"skipped: {arguments.gold} is not here")
    records = read_records(arguments.gold)
    if arguments.pipeline:
        made, right = extracted(records)
    else:
        made = gold_tables(records, load_gazetteer())
        right = {row["deal_id"]: row["event_id"] for row in made["deals"].to_pylist()}
    measure(made, right, arguments.errors)


if __name__ == "__main__":
    main()
