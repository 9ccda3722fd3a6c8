"""The scorer: an article's annotation, rows, and what counts; figures with intervals; floors."""

import json
import random
import runpy
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline import cli_corpora, floors
from pipeline.cli import app
from pipeline.evaluation import Evaluation, compare, figures_of, table
from pipeline.records import DEAL_STATUSES, DEAL_TYPES
from pipeline.scoring import ArticleRows, ArticleScore, fold, keys, score_article

SCORER = Path(__file__).parents[2] / "shared" / "eval" / "score.py"
EMPTY = {"companies": [], "levels": [], "locations": [], "deals": []}


def gold(**fields):
    return {"id": "x1", **EMPTY, **fields}


def company(name, *surfaces):
    return {"name": name, "surfaces": list(surfaces or [name])}


def mention(company_id, surface, name=None):
    return {"company_id": company_id, "surface": surface, "company_name": name or surface}


def level(low, high=None, plus=False, negated=False, company=None):
    return {"min": low, "max": high or low, "plus": plus, "negated": negated, "company": company, "surface": "L"}


def level_row(low, high=None, plus=False, negated=False, company=None, explicit=True):
    own = {"company_id": company, "company_name": company, "explicit": explicit}
    return {"level_min": low, "level_max": high or low, "plus": plus, "negated": negated, **own}


def place(name, country="DE", surface=None):
    return {"name": name, "surface": surface or name, "country": country}


def place_row(name, country="DE", surface=None, geoname_id=None):
    return {"name": name, "surface": surface or name, "country_code": country, "geoname_id": geoname_id}


def deal(kind, *parties, status="agreed", where=(), **more):
    return {"type": kind, "parties": list(parties), "status": status, "locations": list(where), **more}


def deal_row(kind, *parties, status="agreed", where=()):
    own = [{"company_id": party, "company_name": party} for party in parties]
    return {"deal_type": kind, "status": status, "parties": own, "locations": [{"name": name} for name in where]}


def counted(figure, score):
    return {name: number for (own, name), number in score.counts.items() if own == figure}


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("The Volta’s", "volta"),
        ("Mercedes‑Benz", "mercedes benz"),
        (" “Plus” ", "plus"),
        ("U.K.", "u.k"),
    ],
)
def test_names_are_compared_without_what_does_not_matter(name, folded):
    assert fold(name) == folded


def test_a_legal_form_may_be_left_out():
    assert keys(["Volta Motors, Inc.", None, "AG"]) == {"volta motors, inc", "volta motors", "ag"}


@pytest.mark.parametrize(
    ("wanted", "rows", "counts"),
    [
        ([company("Volta", "Volta", "Volta Motors")], [mention("v", "Volta Motors"), mention("v", "Volta")], (1, 1, 1)),
        ([company("Volta"), company("Kestrel")], [mention("v", "Volta's")], (1, 1, 2)),
        ([company("Volta")], [mention("v1", "Volta"), mention("v2", "Volta")], (1, 2, 1)),  # one firm under two ids
        ([company("Volta")], [mention("b", "Bosch")], (0, 1, 1)),
        ([company("Volta")], [mention("v", "Maker", "Volta")], (1, 1, 1)),  # by its canonical name
        ([company("Volta")], [mention("m", "Marlo")], (0, 0, 1)),  # optional
    ],
)
def test_companies(wanted, rows, counts):
    score = score_article(gold(companies=wanted, optional_companies=["Marlo"]), ArticleRows(companies=rows))
    assert counted("companies", score) == dict(zip(("tp", "pred", "gold"), counts, strict=True))


def test_names_that_are_no_companies():
    rows = [mention("r", "Reuters"), mention("v", "Volta"), mention("e", "EU")]
    score = score_article(gold(not_companies=["Reuters", "SEC"]), ArticleRows(companies=rows))
    assert counted("not_companies_reported", score) == {"ok": 1, "n": 2}
    assert score.errors[0] == ("companies_false", "x1: ['reuters']")


@pytest.mark.parametrize(
    ("wanted", "rows", "levels", "owners"),
    [
        ([level(3)], [level_row(3), level_row(3)], (1, 1, 1), (1, 1, 1)),  # distinct ones count
        ([level(2, 4)], [level_row(2)], (0, 1, 1), (0, 1, 1)),
        ([level(2, plus=True)], [level_row(2)], (0, 1, 1), (0, 1, 1)),
        ([level(3, negated=True)], [level_row(3, negated=True)], (1, 1, 1), (1, 1, 1)),
        ([level(3, company="Volta")], [level_row(3, company="Volta Motors")], (1, 1, 1), (1, 1, 1)),
        ([level(3, company="Volta")], [level_row(3)], (1, 1, 1), (0, 1, 1)),
        ([], [level_row(4, explicit=False)], (0, 0, 0), (0, 0, 0)),  # only implied
        ([], [level_row(5)], (0, 0, 0), (0, 0, 0)),  # optional
    ],
)
def test_levels(wanted, rows, levels, owners):
    article = gold(levels=wanted, companies=[company("Volta", "Volta Motors")], optional_levels=["Level 5"])
    score = score_article(article, ArticleRows(levels=rows))
    assert tuple(counted("levels", score).values()) == levels
    assert tuple(counted("levels_company", score).values()) == owners


@pytest.mark.parametrize(
    ("wanted", "rows", "places", "country"),
    [
        ([place("Bonn")], [place_row("Bonn"), place_row("Bonn")], (1, 1, 1), (1, 1)),
        ([place("Paris", "US")], [place_row("Paris", "FR")], (1, 1, 1), (0, 1)),
        ([place("Europe", None)], [place_row("Europe", None)], (1, 1, 1), ()),
        ([place("San Francisco", "US", "SF")], [place_row("San Fran", "US", "SF", 7)], (1, 1, 1), (1, 1)),
        ([place("Bonn")], [place_row("Bonn", geoname_id=1), place_row("Bonn", geoname_id=2)], (1, 2, 1), (1, 1)),
        ([], [place_row("Cork", "IE")], (0, 0, 0), ()),  # optional
    ],
)
def test_locations(wanted, rows, places, country):
    article = gold(locations=wanted, optional_locations=[{"name": "Cork", "surface": "Cork"}])
    score = score_article(article, ArticleRows(locations=rows))
    assert tuple(counted("locations", score).values()) == places
    assert tuple(counted("country", score).values()) == country


FIRMS = [company("A"), company("B"), company("C")]
AB = deal("supply", "A", "B", where=["Bonn"])


@pytest.mark.parametrize(
    ("wanted", "row", "right"),
    [
        (AB, deal_row("supply", "A", "B"), {"strict", "typed", "pair"}),
        (AB, deal_row("supply", "B", "A"), {"strict", "typed", "pair"}),  # the order is not asked for
        (AB, deal_row("order", "A", "B"), {"pair"}),
        (deal("supply", "A", "B", alt_types=["order"]), deal_row("order", "A", "B"), {"strict", "typed", "pair"}),
        (AB, deal_row("supply", "A"), {"typed"}),
        (AB, deal_row("supply", "B"), set()),  # not who acts
        (deal("supply", "A", "B", "C"), deal_row("supply", "A"), set()),  # less than half
    ],
)
def test_deals(wanted, row, right):
    article = gold(deals=[wanted], companies=FIRMS)
    score = score_article(article, ArticleRows(deals=[row]))
    assert {name for name in ("strict", "typed", "pair") if score.counts[f"deals_{name}", "tp"]} == right
    assert [score.counts[f"deals_{name}", "pred"] for name in ("strict", "typed", "pair")] == [1, 1, 1]


def test_status_and_place_are_asked_of_deals_that_were_found():
    wanted = [deal("supply", "A", "B", alt_status=["active"], where=["Bonn"]), deal("order", "C", where=["Cork"])]
    rows = [deal_row("supply", "A", "B", status="active", where=["Cork"]), deal_row("permit", "C", where=["Cork"])]
    score = score_article(gold(deals=wanted, companies=FIRMS), ArticleRows(deals=rows))
    assert (counted("status", score), counted("deal_where", score)) == ({"ok": 1, "n": 1}, {"ok": 0, "n": 1})


def test_an_optional_deal_costs_and_earns_nothing():
    article = gold(deals=[deal("supply", "A", "B", optional=True)], companies=FIRMS)
    for rows, found in (([], 0), ([deal_row("supply", "A", "B")], 0), ([deal_row("order", "A")], 1)):
        score = score_article(article, ArticleRows(deals=rows))
        assert counted("deals_typed", score) == {"tp": 0, "pred": found, "gold": 0}


# The figures are those of the project's scorer

NAMES = ("Volta", "Kestrel", "Volta Motors", "Marlo Inc.", "Reuters", "Ridewell")
PLACES = (("Bonn", "DE"), ("Cork", "IE"), ("Paris", "US"), ("Europe", None))


def drawn(rng):
    """An article and rows, both at random, so that every rule of the scorer meets every other."""
    firms = rng.sample(NAMES, 3)
    some = lambda make, most=3: [make() for _ in range(rng.randint(0, most))]  # noqa: E731
    where = lambda: [rng.choice(PLACES)[0]] * rng.randint(0, 1)  # noqa: E731
    levels = lambda: (rng.randint(2, 3), rng.randint(3, 4), rng.random() < 0.3, rng.random() < 0.2)  # noqa: E731
    article = gold(
        companies=[company(firm, *rng.sample((firm, f"{firm} AG"), rng.randint(1, 2))) for firm in firms],
        not_companies=rng.sample(("Reuters", "SEC"), 1),
        optional_companies=some(lambda: rng.choice([rng.choice(NAMES), company(rng.choice(NAMES))]), 1),
        levels=some(lambda: level(*levels(), rng.choice([None, *firms]))),
        optional_levels=some(lambda: rng.choice(["L2+", "Level 3", level(3)]), 1),
        locations=some(lambda: place(*rng.choice(PLACES))),
        optional_locations=some(lambda: rng.choice(["Cork", {"surface": "Bonn"}]), 1),
        deals=some(
            lambda: deal(
                rng.choice(DEAL_TYPES[:3]), *rng.sample(firms, rng.randint(1, 3)), status=rng.choice(DEAL_STATUSES[:2]),
                where=where(), optional=rng.random() < 0.3, alt_types=rng.sample(DEAL_TYPES[:3], 1),
            ),
            4,
        ),
    )  # fmt: skip
    rows = ArticleRows(
        [mention(rng.choice("abc"), rng.choice([*NAMES, "SEC"])) for _ in range(rng.randint(0, 5))],
        some(lambda: level_row(*levels(), rng.choice([None, *NAMES]), rng.random() < 0.8)),
        some(lambda: place_row(*rng.choice(PLACES), geoname_id=rng.choice([None, "1", "2"]))),
        some(
            lambda: deal_row(
                rng.choice(DEAL_TYPES[:3]), *rng.sample(NAMES, rng.randint(1, 3)), status=rng.choice(DEAL_STATUSES[:2]),
                where=where(),
            ),
            4,
        ),
    )  # fmt: skip
    return article, rows


SCHEMAS = {
    "articles": {"article_id": pa.string(), "source_uri": pa.string()},
    "companies": dict.fromkeys(("company_id", "surface", "company_name"), pa.string()),
    "autonomy_levels": {
        "level_min": pa.int8(), "level_max": pa.int8(), "company_id": pa.string(), "company_name": pa.string(),
        "plus": pa.bool_(), "negated": pa.bool_(), "explicit": pa.bool_(),
    },
    "locations": dict.fromkeys(("name", "surface", "country_code", "geoname_id"), pa.string()),
    "deals": {
        "deal_type": pa.string(), "status": pa.string(),
        "parties": pa.list_(pa.struct({"company_id": pa.string(), "company_name": pa.string()})),
        "locations": pa.list_(pa.struct({"name": pa.string()})),
    },
}  # fmt: skip


def as_tables(made):
    """Tables as a run writes them, of (id, rows)."""
    rows = {name: [] for name in SCHEMAS}
    for name, own in made:
        rows["articles"].append({"article_id": f"a-{name}", "source_uri": f"in/{name}.txt#2"})
        for kind, of in (("companies", own.companies), ("autonomy_levels", own.levels), ("locations", own.locations),
                         ("deals", own.deals)):  # fmt: skip
            rows[kind] += [{"article_id": f"a-{name}", **row} for row in of]
    return {
        name: pa.Table.from_pylist(rows[name], pa.schema({"article_id": pa.string(), **columns}))
        for name, columns in SCHEMAS.items()
    }


@pytest.mark.parametrize("seed", range(2))
def test_the_figures_are_those_of_the_projects_scorer(tmp_path, seed):
    if not SCORER.exists():
        pytest.skip(f"the project's scorer is not here: {SCORER}")
    rng = random.Random(seed)
    made = [(f"x{n}", *drawn(rng)) for n in range(60)]
    records = [{**article, "id": name} for name, article, _ in made]
    tables = as_tables([(name, rows) for name, _, rows in made[:-1]])  # the run left one out
    for name, own in tables.items():
        (tmp_path / name).mkdir()
        pq.write_table(own, tmp_path / name / "part.parquet")
    theirs = runpy.run_path(str(SCORER))["score"](records, tmp_path, keep_errors=10**6)
    ours = compare(records, tables)
    for name, figure in ours.figures.items():
        same = theirs[name]
        assert figure.value == pytest.approx(same[next(key for key in ("f1", "accuracy", "rate") if key in same)])
        if figure.found is not None:
            assert (figure.right, figure.found, figure.items) == (same["tp"], same["pred"], same["gold"])
    by_type = {name: (figure.right, figure.found, figure.items) for name, figure in ours.deals_by_type.items()}
    assert by_type == {name: (f["tp"], f["pred"], f["gold"]) for name, f in theirs["deals_by_type"].items()}
    assert Counter(kind for kind, _ in ours.errors) == {kind: len(told) for kind, told in theirs["errors"].items()}
    assert ours.missing == theirs["articles"]["missing"] == ["x59"]


# Figures and their intervals


def one(tp, pred, wanted):
    score = ArticleScore()
    score.count("companies", tp=tp, pred=pred, gold=wanted)
    return score


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([one(1, 1, 1)] * 3, (1.0, 1.0, 1.0)),
        ([one(0, 0, 0)], (1.0, 1.0, 1.0)),  # nothing wanted, nothing reported
        ([one(0, 2, 0)], (0.0, 0.0, 0.0)),
        ([one(0, 0, 2)], (0.0, 0.0, 0.0)),
    ],
)
def test_articles_that_all_say_the_same_leave_no_doubt(scores, expected):
    figure = figures_of(scores)["companies"]
    assert (figure.value, figure.low, figure.high) == expected


def test_nothing_measured_is_null_and_not_zero():
    figure = figures_of([one(1, 1, 1)])["status"]
    assert (figure.value, figure.low, figure.high, figure.items) == (None, None, None, 0)
    assert figures_of([])["country"].value is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
def test_intervals_are_shares_in_order_and_the_same_again(counts):
    scores = [one(tp, tp + false, tp + missed) for tp, false, missed in counts]
    figure = figures_of(scores)["companies"]
    assert 0 <= figure.low <= figure.high <= 1
    assert figures_of(scores)["companies"] == figure


def test_more_articles_leave_less_doubt():
    few, many = (figures_of([one(1, 1, 1), one(0, 1, 1)] * n)["companies"] for n in (5, 80))
    assert few.value == many.value == 0.5
    assert many.high - many.low < few.high - few.low < 0.8


def evaluation(**tags):
    record = gold(companies=[company("Volta")], tags=["wire"], source={"file": "text/feed.jsonl.gz", "id": "n"}, **tags)
    rows = ArticleRows(companies=[mention("v", "Volta"), mention("b", "Bosch")])
    return compare([record], as_tables([("x1", rows)]))


def test_figures_stand_by_source_and_tag():
    measured = evaluation()
    assert [*measured.by_source] == ["feed"]
    assert measured.by_tag["wire"][1]["companies"] == measured.figures["companies"]
    told = measured.as_json()
    assert (told["by_tag"]["wire"]["articles"], told["by_tag"]["wire"]["companies"]["found"]) == (1, 2)
    assert json.loads(json.dumps(told)) == told


def test_the_table_is_readable():
    lines = table(evaluation(), group_size=1).splitlines()
    assert lines[0] == "companies               0.667  [0.667 0.667]  p 0.500  r 1.000  found 2  right 1 of 1"
    assert lines[8].split() == ["status", "-", "[", "-", "-]", "right", "0", "of", "0"]
    assert lines[-1] == "articles 1, left out by the run 0"


# Floors


@pytest.fixture
def path(tmp_path):
    (tmp_path / "gold.jsonl").write_text("{}")
    return tmp_path / "floors.json"


def reached(companies, banned=0.1):
    score = one(int(companies * 1000), 1000, 1000)
    score.count("not_companies_reported", ok=int(banned * 100), n=100)
    return Evaluation(1, [], figures_of([score]), {}, {}, {}, [])


def test_floors_rise_with_what_is_reached_and_fall_only_when_asked(path):
    gold_file = path.parent / "gold.jsonl"

    def pinned(*figures, lower=False):
        own, missed = floors.pin(reached(*figures), gold_file, None, lower, path)
        assert floors.read_floors(path).sets == {own.gold: own}
        return own.floors["companies"], own.floors["not_companies_reported"], missed

    assert pinned(0.9, 0.10) == (0.9, 0.10, [])
    assert pinned(0.91, 0.05) == (0.91, 0.05, [])
    assert pinned(0.8, 0.10) == (
        0.91, 0.05, ["companies: 0.800 is below 0.910", "not_companies_reported: 0.100 is above 0.050"],
    )  # fmt: skip
    assert pinned(0.8, 0.10, lower=True) == (0.8, 0.10, [])


def test_the_same_articles_in_another_place_are_held_to_the_same_floors(path):
    first, second = path.parent / "gold.jsonl", path.parent / "copy" / "gold.jsonl"
    second.parent.mkdir()
    second.write_bytes(first.read_bytes())
    own, _ = floors.pin(reached(0.9), first, None, path=path)
    again, missed = floors.pin(reached(0.8), second, None, path=path)
    assert (again, missed) == (own, ["companies: 0.800 is below 0.900"])


def test_another_gold_set_needs_new_floors(path):
    gold_file = path.parent / "gold.jsonl"
    floors.pin(reached(0.9), gold_file, None, path=path)
    gold_file.write_text("{ }")
    with pytest.raises(floors.FloorsError, match="is not the file that the floors were pinned on"):
        floors.pin(reached(0.95), gold_file, None, path=path)
    assert floors.pin(reached(0.7), gold_file, None, lower=True, path=path)[0].floors["companies"] == 0.7


@pytest.mark.parametrize(
    ("companies", "told"),
    [(0.95, []), (0.9, []), (0.896, []), (0.894, ["companies: 0.894 is below 0.900"])],
)
def test_figures_below_a_floor_are_told(path, companies, told):
    own, _ = floors.pin(reached(0.9), path.parent / "gold.jsonl", None, path=path)
    assert floors.below(reached(companies), own, tolerance=0.005) == told


def test_one_item_of_a_small_set_may_move(path):
    own, _ = floors.pin(small(right=9), path.parent / "gold.jsonl", None, path=path)
    assert floors.below(small(right=8), own, tolerance=0.005) == []
    assert floors.below(small(right=7), own, tolerance=0.005) == ["companies: 0.700 is below 0.900"]
    assert floors.below(small(right=8), own, tolerance=0) == ["companies: 0.800 is below 0.900"]


def small(right):
    return Evaluation(1, [], {"companies": figures_of([one(right, 10, 10)])["companies"]}, {}, {}, {}, [])


def test_a_damaged_file_of_floors_is_told(path):
    path.write_text('{"sets": []}')
    with pytest.raises(floors.FloorsError, match="is no file of floors: KeyError"):
        floors.read_floors(path)


# The command


@pytest.fixture
def command(path, monkeypatch):
    monkeypatch.setattr(floors, "FLOORS", path)

    def run(size, *options):
        (path.parent / "gold.jsonl").write_text('{"id": "x1", "text": "Vans drive."}')
        monkeypatch.setattr(cli_corpora, "_evaluated", lambda records, settings: reached(size))
        return CliRunner().invoke(app, ["evaluate", str(path.parent / "gold.jsonl"), *options])

    return run


def test_evaluate_holds_the_floors_of_its_gold_set(command, path):
    assert command(0.9).exit_code == 0  # none are pinned
    assert command(0.9, "--pin").exit_code == 0
    assert command(0.9).exit_code == 0
    ran = command(0.8)
    assert ran.exit_code == 1
    assert "floor: companies: 0.800 is below 0.900" in ran.stderr
    assert command(0.8, "--pin").exit_code == 1
    assert command(0.8, "--pin", "--lower-floors").exit_code == 0
    assert command(0.8).exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lower-floors"], "floors are pinned with --pin"),
        (["--pin", "--ids", "none.json"], "floors are pinned with --pin"),
        (["--ids", "none.json"], "none.json: no list of ids"),
    ],
)
def test_wrong_usage(command, options, said):
    ran = command(0.9, *options)
    assert (ran.exit_code, said in ran.stderr) == (2, True)


def test_all_figures_are_written(command, path):
    assert command(0.9, "--json", str(path.parent / "out.json")).exit_code == 0
    told = json.loads((path.parent / "out.json").read_text())
    assert told["figures"]["companies"]["value"] == pytest.approx(0.9)
    assert set(told["versions"]) == {"schema", "pipeline", "code", "models", "gazetteers"}


def test_gold_that_is_not_there_or_has_no_text(tmp_path):
    for content, said in ((None, "no such file"), ('{"id": "x1"}', "x1 carries no text"), ("{", "Expecting")):
        path = tmp_path / "gold.jsonl"
        if content:
            path.write_text(content)
        ran = CliRunner().invoke(app, ["evaluate", str(path)])
        assert (ran.exit_code, said in ran.stderr) == (2, True)
