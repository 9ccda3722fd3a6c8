"""One row a real-world deal, whoever tells it, in whatever order the articles arrive."""

from __future__ import annotations

import json
import random
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from event_factories import Told, extractions, publish_batch, publish_tables, tables_of, tellings_of
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.events import GOLD, b_cubed, gold_tables
from corpora.annotations import read_records
from pipeline import cli, event_store
from pipeline.event_rows import event_rows
from pipeline.events import assign, event_ids, order
from pipeline.link.place_gazetteer import load_gazetteer
from pipeline.tables import DEAL_EVENTS

DOCS = Path(__file__).parent.parent / "docs" / "events.md"

SERIES_B = Told("2024-05-14", "investment", "Kestrel, Bluewater", "completed", amount=45e6, evidence="a Series B of")
PILOT = Told("2025-01-10", "testing", "Volta Ride", "planned", "Oslo")


def ids_of(told: list[Told]) -> list[str]:
    """The event of each, in the order in which they are given."""
    tellings = tellings_of(told)
    numbers = assign(tellings)
    ids = event_ids(tellings, numbers)
    found = {deal: ids[number] for deal, number in zip(tellings.table["deal_id"].to_pylist(), numbers, strict=True)}
    return [found[f"d{n:04d}"] for n in range(len(told))]


def events_of(told: list[Told], as_of: date | None = None) -> list[dict]:
    tellings = tellings_of(told, as_of)
    numbers = assign(tellings)
    return [row for part in event_rows(tellings, numbers, event_ids(tellings, numbers)) for row in part.to_pylist()]


SAME = {
    "another outlet on the same day": [SERIES_B, Told("2024-05-14", "investment", "Kestrel", "completed", amount=45e6)],
    "rounded": [SERIES_B, Told("2024-05-16", "investment", "Kestrel", "completed", amount=45.4e6)],
    "other investors of the round": [
        SERIES_B,
        Told("2024-05-15", "investment", "Kestrel, Tamarind", "completed", amount=45e6),
    ],
    "the round, rumoured": [
        Told("2024-03-01", "investment", "Kestrel", "in_talks", amount=60e6),
        Told("2024-05-14", "investment", "Kestrel, Bluewater", "completed", amount=45e6),
    ],
    "a stake told as a purchase": [
        Told("2024-07-08", "investment", "Oculum, Brembana", amount=75e6),
        Told("2024-07-09", "acquisition", "Brembana, Oculum", amount=75e6),
    ],
    "other name for the contract": [
        Told("2025-06-03", "partnership", "Halden, Fuso"),
        Told("2025-06-05", "supply", "Halden, Fuso"),
        Told("2025-06-06", "order", "Fuso, Halden"),
    ],
    "first the headline, then the partner": [
        Told("2025-01-07", "supply", "Oriole"),
        Told("2025-01-08", "supply", "Oriole, Toyota"),
    ],
    "a purchase from talks to closing": [
        Told("2024-09-03", "acquisition", "Norvik, Lumen", "in_talks", amount=600e6),
        Told("2024-10-28", "acquisition", "Norvik, Lumen", "agreed", amount=655e6),
        Told("2025-05-15", "acquisition", "Norvik, Lumen", "completed"),
    ],
    "the end, three years later": [
        Told("2022-09-14", "joint_venture", "Hanbit, Larch"),
        Told("2025-09-02", "joint_venture", "Hanbit, Larch", "cancelled"),
    ],
    "the town and its country": [PILOT, Told("2025-01-12", "testing", "Volta Ride", "planned", "Norway")],
    "the town and a place in it": [PILOT, Told("2025-01-12", "testing", "Volta Ride", "planned", "Pier 9")],
    "the town and its state": [
        Told("2025-05-01", "deployment", "Prairie, Fieldstone", "active", "Dallas"),
        Told("2025-05-03", "deployment", "Prairie, Fieldstone", "active", "Texas"),
    ],
    "a permit asked for, given, taken": [
        Told("2024-06-10", "permit", "Pilotfish", "planned", "Austin"),
        Told("2024-10-22", "permit", "Pilotfish", "completed", "Austin"),
        Told("2025-04-30", "permit", "Pilotfish", "cancelled", "Austin"),
    ],
    "told again as background": [
        Told("2022-03-01", "partnership", "Halden, Fuso"),
        Told("2025-02-01", "partnership", "Halden, Fuso", background=True),
    ],
    "without any date": [PILOT, Told(None, "testing", "Volta Ride", "planned", "Oslo")],
}
OTHER = {
    "the next round": [SERIES_B, Told("2024-06-20", "investment", "Kestrel, Bluewater", evidence="its Series C")],
    "another sum months later": [SERIES_B, Told("2024-11-20", "investment", "Kestrel, Bluewater", amount=90e6)],
    "one investor, two firms": [SERIES_B, Told("2024-05-14", "investment", "Wayfold, Bluewater", "completed")],
    "another customer": [
        Told("2024-03-19", "supply", "Sefira, Volvo"),
        Told("2024-03-20", "supply", "Sefira, Stellantis"),
    ],
    "another town": [PILOT, Told("2025-01-11", "testing", "Volta Ride", "planned", "Bergen")],
    "another town after its country was told": [
        PILOT,
        Told("2025-01-12", "testing", "Volta Ride", "planned", "Norway"),
        Told("2025-01-20", "testing", "Volta Ride", "planned", "Bergen"),
    ],
    "another market": [
        Told("2025-01-11", "supply", "Sefira, Volvo", places="Norway"),
        Told("2025-01-12", "supply", "Sefira, Volvo", places="Munich"),
    ],
    "a follow-on order": [
        Told("2023-11-08", "order", "Rhodanien, Navette", amount=38e6),
        Told("2024-05-17", "order", "Rhodanien, Navette", amount=21e6),
    ],
    "a new contract years later": [
        Told("2020-03-10", "supply", "Corvane, Geely"),
        Told("2024-06-05", "supply", "Corvane, Geely"),
    ],
    "a new agreement after the end": [
        Told("2024-01-01", "partnership", "Halden, Fuso"),
        Told("2024-03-01", "partnership", "Halden, Fuso", "cancelled"),
        Told("2024-09-01", "partnership", "Halden, Fuso", "planned"),
    ],
    "two in one article": [
        Told("2024-01-01", "permit", "Glydepath", "completed", "Austin", article=0),
        Told("2024-01-01", "permit", "Glydepath", "planned", "Austin", article=0),
    ],
    "partnership and money are two": [
        Told("2024-01-01", "partnership", "Halden, Fuso"),
        Told("2024-01-01", "investment", "Halden, Fuso"),
    ],
}


@pytest.mark.parametrize("told", SAME.values(), ids=SAME)
def test_one_deal(told: list[Told]) -> None:
    assert len(set(ids_of(told))) == 1


@pytest.mark.parametrize("told", OTHER.values(), ids=OTHER)
def test_another_deal(told: list[Told]) -> None:
    assert ids_of(told)[-1] != ids_of(told)[0]


def test_a_deal_of_two_types_keeps_them_apart_when_one_is_told_again() -> None:
    both = [
        Told("2024-11-19", "partnership", "Auraline, Helmsman", article=0),
        Told("2024-11-19", "supply", "Helmsman, Auraline", article=0),
    ]
    ids = ids_of([*both, Told("2024-11-21", "supply", "Helmsman, Auraline", "active")])
    assert ids[2] == ids[1] != ids[0]


ARCHIVE = [each for told in [*SAME.values(), *OTHER.values()] for each in told if each.article is None]


@given(st.randoms(use_true_random=False))
@settings(max_examples=4, deadline=None)
def test_ids_do_not_depend_on_the_order_of_arrival(rng: random.Random) -> None:
    """Here articles are numbered by what they say, as the digest of a text numbers them."""
    articles = extractions(ARCHIVE)
    shuffled = rng.sample(articles, len(articles))
    assert _by_deal(shuffled) == _by_deal(articles)


def _by_deal(articles: list) -> dict[str, str]:
    made = tables_of(articles)
    tellings = order(made["deals"], made["articles"], made["sightings"], made["locations"])
    numbers = assign(tellings)
    ids = event_ids(tellings, numbers)
    return {deal: ids[n] for deal, n in zip(tellings.table["deal_id"].to_pylist(), numbers, strict=True)}


@given(st.data())
@settings(max_examples=4, deadline=None)
def test_what_came_later_changes_nothing(data: st.DataObject) -> None:
    """No look-ahead: the ids of what was published up to a day are those that a run on that day gave."""
    articles = [article for article in extractions(ARCHIVE) if article.document.published_at]
    day = data.draw(st.sampled_from(sorted({a.document.published_at for a in articles if a.document.published_at})))
    then = _by_deal([a for a in articles if a.document.published_at and a.document.published_at <= day])
    now = _by_deal(articles)
    assert {deal: now[deal] for deal in then} == then


def test_settled_deals_are_taken_over() -> None:
    tellings = tellings_of([*ARCHIVE, Told("2026-01-01", "testing", "Volta Ride", "active", "Oslo")])
    numbers = assign(tellings)
    for settled in range(len(numbers) + 1):
        assert assign(tellings, numbers[:settled].tolist()).tolist() == numbers.tolist()


def test_the_ids_of_the_gold_set_are_those_of_careful_readers() -> None:
    records = read_records(GOLD)
    made = gold_tables(records, load_gazetteer())
    tellings = order(made["deals"], made["articles"], made["sightings"], made["locations"])
    truth = tellings.table["event_id"].to_pylist()
    assert b_cubed(assign(tellings).tolist(), truth)[2] >= 0.97


def test_b_cubed_weighs_items() -> None:
    precision, recall, _ = b_cubed(["x", "x", "y"], ["a", "b", "b"])
    assert (precision, recall) == pytest.approx((2 / 3, 2 / 3))


def test_a_copy_counts_for_the_one_published_first_and_not_for_the_one_that_arrived_first() -> None:
    told = [
        Told("2025-01-09", "testing", "Volta Ride", "planned", "Oslo", publisher="Late"),
        Told("2025-01-01", "testing", "Volta Ride", "planned", "Oslo", publisher="Early", copy_of=0),
        Told("2025-01-02", "testing", "Volta Ride", "planned", "Oslo", publisher="Late"),
    ]
    assert tellings_of(told, date(2025, 1, 3)).sources.tolist() == ["Early", "Late"]
    assert tellings_of(told).sources.tolist() == ["Early", "Late", "Early"]


def test_copies_are_no_sources_of_their_own() -> None:
    (event,) = events_of(
        [
            Told("2025-01-10", "testing", "Volta Ride", "planned", "Oslo", publisher="Wire"),
            Told("2025-01-10", "testing", "Volta Ride", "planned", "Oslo", publisher="Daily", copy_of=0),
            Told("2025-01-11", "testing", "Volta Ride", "planned", "Oslo", publisher="Wire"),
            Told("2025-01-11", "testing", "Volta Ride", "planned", "Oslo", publisher="Kerb"),
        ]
    )
    assert (event["n_articles"], event["n_sources"], event["n_publishers"]) == (4, 2, 3)


def test_what_most_sources_say_counts_and_the_rest_is_kept() -> None:
    (event,) = events_of(
        [
            Told("2024-09-03", "acquisition", "Norvik, Lumen", "in_talks", amount=600e6),
            Told("2024-10-28", "acquisition", "Norvik, Lumen", amount=655e6, confidence=0.95),
            Told("2024-10-28", "acquisition", "Norvik, Lumen", amount=655e6),
            Told("2024-10-29", "acquisition", "Norvik, Lumen", amount=565e6),
            Told("2024-10-30", "acquisition", "Norvik, Lumen, Oslo Bank"),
        ]
    )
    assert (event["amount"], event["currency"], event["best_deal_id"]) == (655e6, "EUR", "d0001")
    assert [party["company_name"] for party in event["parties"]] == ["Norvik", "Lumen"]
    assert {(each["field"], each["value"]) for each in event["disagreements"]} == {
        ("amount", "600000000 EUR"),
        ("amount", "565000000 EUR"),
        ("party", "Oslo Bank"),
    }


@pytest.mark.parametrize(
    ("statuses", "history"),
    [
        (["in_talks", "agreed", "completed"], ["in_talks", "agreed", "completed"]),
        (["agreed", "planned", "active"], ["agreed", "active"]),  # an older stage told again
        (["active", "cancelled", "active"], ["active", "cancelled", "active"]),
        (["active", "cancelled", "planned"], ["active", "cancelled"]),
    ],
)
def test_the_history_of_a_status(statuses: list[str], history: list[str]) -> None:
    told = [Told(f"2025-01-{10 + n}", "testing", "Volta Ride", s, "Oslo") for n, s in enumerate(statuses)]
    (event,) = events_of(told)
    assert [each["status"] for each in event["history"]] == history
    assert event["status"] == history[-1]


def test_as_of_a_day_nothing_later_is_known() -> None:
    told = SAME["a purchase from talks to closing"]
    (event,) = events_of(told, date(2024, 10, 28))
    assert (event["status"], event["n_articles"], event["amount"]) == ("agreed", 2, 655e6)
    assert events_of(told, date(2024, 9, 2)) == []
    assert events_of([Told(None, "testing", "Volta Ride")], date(2030, 1, 1)) == []


PILOT_AGAIN = ("testing", "Volta Ride", "active", "Norway")


def stored(out: Path, table: str) -> list[dict]:
    return pq.read_table(out / table).to_pylist()


def test_batches_arrive_in_any_order_and_the_ids_are_the_same(tmp_path: Path) -> None:
    """Three orders of arrival, two batches each, the events brought up to date after every batch."""
    found = []
    for seed in range(3):
        out, rng = tmp_path / str(seed), random.Random(seed)
        articles = extractions(ARCHIVE)
        rng.shuffle(articles)
        for batch in range(2):
            publish_batch(out, f"night-{batch}", articles[batch::2])
            event_store.update(out)
        found.append({row["deal_id"]: row["event_id"] for row in stored(out, "deals")})
        assert {row["deal_id"]: row["event_id"] for row in stored(out, "event_members")} == found[-1]
        assert {row["event_id"] for row in stored(out, "deal_events")} == set(found[-1].values())
    assert found == [found[0]] * 3


def test_an_event_keeps_its_id_when_articles_are_added(tmp_path: Path) -> None:
    articles = sorted(extractions(SAME["a purchase from talks to closing"]), key=lambda a: a.document.article_id)
    seen = set()
    for number, article in enumerate(articles):
        publish_batch(tmp_path, f"night-{number}", [article])
        outcome = event_store.update(tmp_path)
        seen.add(stored(tmp_path, "deal_events")[0]["event_id"])
        assert (outcome.events, outcome.taken_over) == (1, number)
    assert len(seen) == 1
    assert stored(tmp_path, "event_aliases") == []


def test_an_id_that_an_earlier_article_replaces_stays_valid(tmp_path: Path) -> None:
    rumour, agreed, closed = extractions(SAME["a purchase from talks to closing"])
    publish_batch(tmp_path, "a", [agreed, closed])
    event_store.update(tmp_path)
    (old,) = stored(tmp_path, "deal_events")
    publish_batch(tmp_path, "b", [rumour])
    assert event_store.update(tmp_path).renamed == 1
    (new,) = stored(tmp_path, "deal_events")
    assert stored(tmp_path, "event_aliases") == [{"old_event_id": old["event_id"], "event_id": new["event_id"]}]
    publish_batch(tmp_path, "b", [])  # and when it is taken back
    event_store.update(tmp_path)
    assert stored(tmp_path, "deal_events") == [old]
    assert stored(tmp_path, "event_aliases") == [{"old_event_id": new["event_id"], "event_id": old["event_id"]}]


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    publish_batch(tmp_path, "night", extractions(ARCHIVE))
    event_store.update(tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*.parquet")}
    outcome = event_store.update(tmp_path)
    assert outcome.unchanged
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*.parquet")} == before


OSLO = {"name": "Oslo", "country_code": "NO", "geoname_id": "2"}
EDITS = {
    "name of a party": ("deals", "parties", [{"company_id": "volta ride", "company_name": "Volta", "role": "partner"}]),
    "role": ("deals", "parties", [{"company_id": "volta ride", "company_name": "Volta Ride", "role": "operator"}]),
    "number of a place": ("deals", "locations", [OSLO | {"geoname_id": "77"}]),
    "country of a place": ("deals", "locations", [OSLO | {"country_code": "SE"}]),
    "precision of a time": ("deals", "effective_precision", "quarter"),
    "confidence": ("deals", "confidence", 0.99),
    "publisher": ("articles", "publisher", "The Kerb"),
    "original": ("articles", "duplicate_of", "a0001"),
    "kind of a place": ("locations", "kind", "region"),
    "division of a place": ("locations", "admin1", "Viken"),
}


@pytest.mark.parametrize(("table", "column", "value"), EDITS.values(), ids=EDITS)
def test_what_a_batch_says_anew_is_taken_up(tmp_path: Path, table: str, column: str, value: object) -> None:
    """An incremental run gives what a run without one before it gives."""
    told = [PILOT, Told("2025-01-12", "testing", "Volta Ride", "planned", "Oslo"), Told("2025-01-14", *PILOT_AGAIN)]
    made = tables_of(extractions(told))
    publish_tables(tmp_path, "night", made)
    event_store.update(tmp_path)
    publish_tables(tmp_path, "night", made | {table: edited(made[table], column, value)})
    assert not event_store.update(tmp_path).unchanged
    assert stored(tmp_path, "deal_events") == event_store.as_known_on(tmp_path, date(2030, 1, 1)).to_pylist()


def edited(rows: pa.Table, column: str, value: object) -> pa.Table:
    """With another value in the first row; of places, in all of the same name."""
    old = rows.to_pylist()
    for row in [r for r in old if r.get("name") == "Oslo"] or old[:1]:
        row[column] = value
    return pa.Table.from_pylist(old, schema=rows.schema)


def test_other_code_settles_everything_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_batch(tmp_path, "night", extractions(SAME["a purchase from talks to closing"]))
    event_store.update(tmp_path)
    assert event_store.update(tmp_path).taken_over == 3
    monkeypatch.setattr(event_store, "_rules", lambda: b"another")
    outcome = event_store.update(tmp_path)
    assert (outcome.taken_over, outcome.unchanged) == (0, False)
    assert event_store.update(tmp_path).unchanged


def test_the_query_for_a_past_day_finds_what_was_known_then(tmp_path: Path) -> None:
    """The first query of docs/events.md: the third article brings a status and a party that are not known before."""
    told = [
        Told("2024-09-03", "acquisition", "Norvik, Lumen", "in_talks", amount=600e6),
        Told("2024-12-31", "acquisition", "Norvik, Lumen", "agreed", amount=655e6),
        Told("2025-05-15", "acquisition", "Norvik, Lumen, Oslo Bank", "completed"),
        Told("2025-05-16", "acquisition", "Norvik, Lumen, Oslo Bank", "completed"),
    ]
    publish_batch(tmp_path, "night", extractions([*told, PILOT, Told(None, "testing", "Pilotfish"), SERIES_B]))
    event_store.update(tmp_path)
    query = DOCS.read_text(encoding="utf-8").split("```sql\n")[1].split(";")[0]
    found = duckdb.execute(query.replace("'tables/", f"'{tmp_path}/")).fetchall()
    then = event_store.as_known_on(tmp_path, date(2024, 12, 31)).to_pylist()
    right = [
        (e["event_id"], e["status"], e["n_articles"], e["n_sources"], sorted(p["company_name"] for p in e["parties"]))
        for e in then
    ]
    assert sorted(found) == sorted(right)
    assert len(found) == 2


WIRE = (
    "Norsund Air has placed a firm order with Aerolince for twenty unmanned cargo aircraft, the two said on Monday. "
    "They are to fly between Bergen and the Faroe Islands from 2028. The price was not disclosed, but people close to "
    "the talks spoke of some 90 million euros. Norsund chief Liv Tangen called it a bet on the weather."
)


def test_copies_in_different_batches_are_one_source(tmp_path: Path) -> None:
    texts = [WIRE, WIRE.replace(", the two said on Monday", "") + " (Agencies)", "Liv Tangen buys twenty aircraft."]
    told = [Told(f"2025-03-{10 + n}", "order", "Norsund, Aerolince", evidence=text) for n, text in enumerate(texts)]
    for number, article in enumerate(extractions(told)):
        publish_batch(tmp_path, f"night-{number}", [article])
        event_store.update(tmp_path)
    (event,) = stored(tmp_path, "deal_events")
    assert (event["n_articles"], event["n_sources"], event["n_publishers"]) == (3, 2, 3)
    assert event_store.as_known_on(tmp_path, date(2025, 3, 11)).to_pylist()[0]["n_sources"] == 1


def test_a_batch_with_stamped_deals_is_intact(tmp_path: Path) -> None:
    """The manifest holds the digest of the stamped file, so a run over the same articles finds nothing to do."""
    from pipeline import publish

    publish_batch(tmp_path, "night", extractions(ARCHIVE))
    event_store.update(tmp_path)
    manifest = publish.published(tmp_path, "night")
    assert manifest is not None
    assert manifest.rows["deals"] == len(ARCHIVE)


def test_the_command(tmp_path: Path) -> None:
    publish_batch(tmp_path, "night", extractions(SAME["a purchase from talks to closing"]))
    ran = CliRunner().invoke(cli.app, ["events", "--out", str(tmp_path), "--json"])
    (event,) = [json.loads(line) for line in ran.stdout.splitlines()]
    assert list(event) == DEAL_EVENTS.names
    assert event["status"] == "completed"
    then = CliRunner().invoke(cli.app, ["events", "--out", str(tmp_path), "--json", "--as-of", "2024-09-03"])
    assert json.loads(then.stdout)["status"] == "in_talks"
    assert stored(tmp_path, "deal_events")[0]["status"] == "completed"


def test_away_from_a_terminal_an_event_is_one_line_with_its_id_whole(tmp_path: Path) -> None:
    names = "Consolidated Autonomous Freight Holdings, Northern Lights Harbour Logistics, Trondheim Robotics Institute"
    publish_batch(tmp_path, "night", extractions([Told("2025-01-10", "order", names, "agreed", "Oslo", amount=655e6)]))
    ran = CliRunner().invoke(cli.app, ["events", "--out", str(tmp_path)])
    event_id = stored(tmp_path, "deal_events")[0]["event_id"]
    right = f"2025-01-10  order  agreed  {names}  Oslo  655,000,000 EUR  1 source  {event_id}"
    assert ran.stdout.splitlines() == [right]


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    ran = CliRunner().invoke(cli.app, ["events", "--out", str(tmp_path)])
    assert ran.exit_code == 2
