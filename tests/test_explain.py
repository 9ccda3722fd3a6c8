"""One article with its reasons: the rows are those of a run, and every reason agrees with its row."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from batch_factories import deal, document, extraction
from lxml import html as lxml_html
from rich.console import Console
from typer.testing import CliRunner, Result

from pipeline import cli, explain, explain_report, run, settings
from pipeline.classify import CompanyScores, SentenceScores
from pipeline.explain_records import Explanation
from pipeline.records import DEAL_STATUSES, DEAL_TYPES, DateMention, Document, Party, Reject

SETTINGS = settings.load()
STORY = """Larkspur Autonomy to test driverless vans with Ocado in Leeds

LONDON, March 3, 2026 - Larkspur Autonomy said on Tuesday it would begin testing its Level 4 delivery vans with online \
grocer Ocado in Leeds in the second half of 2026.

The Cambridge-based start-up, which raised $45 million from Octopus Ventures last year at a valuation of $300 million, \
will start with eight vans and a safety driver on board. Nvidia supplies the computers.

Bosch is said to be weighing an investment in Larkspur, two people familiar with the matter told the Yorkshire Courier.
"""
NOTE = (
    "A survey of 400 drivers found that few of them know what Level 3 means, and that fewer would pay for such a car."
)


@pytest.fixture(scope="module")
def models() -> run.Models:
    return run.load_models(SETTINGS)


def read(text: str, folder: Path, name: str = "story.txt") -> Document:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    [article] = explain.documents([str(file)], SETTINGS)
    assert isinstance(article, Document)
    return article


@pytest.fixture(scope="module")
def story(models: run.Models, tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    return explain.explain(read(STORY, tmp_path_factory.mktemp("news")), models, SETTINGS)


def test_the_rows_are_those_of_a_run(story: Explanation, models: run.Models) -> None:
    [extraction] = run.extract([story.document], models, SETTINGS)
    assert [reason.deal for reason in story.deals] == list(extraction.deals)
    assert [reason.mention for reason in story.levels] == list(extraction.levels)
    spans = sorted(span for reason in story.companies for span in reason.spans)
    assert spans == [(row.start, row.end) for row in extraction.companies]
    places = sorted(span for reason in story.places for span in reason.spans)
    assert places == [(row.start, row.end) for row in extraction.locations]


def test_a_company_says_how_it_was_linked_and_what_was_weighed(story: Explanation) -> None:
    reasons = {reason.name: reason for reason in story.companies}
    assert reasons["Ocado"].link == "in the register as 'Ocado'"
    assert reasons["Larkspur Autonomy"].link.startswith("not in the register")
    assert reasons["Larkspur Autonomy"].surfaces == ("Larkspur Autonomy", "Larkspur")
    for reason in story.companies:
        assert reason.confidence >= reason.threshold
        assert reason.seen_by
        assert reason.cues


def test_a_level_says_whose_else_it_could_be(story: Explanation) -> None:
    [stated] = [reason for reason in story.levels if reason.mention.surface == "Level 4"]
    assert stated.owners[0][0] == stated.mention.company_name == "Larkspur Autonomy"
    assert [share for _, share in stated.owners] == sorted((share for _, share in stated.owners), reverse=True)
    assert sum(share for _, share in stated.owners) <= 1.001


def test_a_place_says_which_others_bear_its_name(story: Explanation) -> None:
    [cambridge] = [reason for reason in story.places if reason.mention.name == "Cambridge"]
    assert cambridge.namesakes > 2
    assert all("Cambridge" in other for other in cambridge.others)


def test_a_deal_says_what_it_is_made_of(story: Explanation) -> None:
    [testing] = [reason for reason in story.deals if reason.deal.deal_type == "testing"]
    assert testing.deal.confidence >= testing.threshold
    for reason in story.deals:
        taken = [party for party in reason.parties if party.taken]
        assert [party.name for party in taken] == [party.company_name for party in reason.deal.parties]
        assert all(0 < party.probability <= 1 for party in taken)
        assert [status.name for status in reason.statuses if status.taken] == [reason.deal.status]
        assert {p.name for p in reason.places if p.taken} == {p.name for p in reason.deal.locations}
        assert all(party.note for party in reason.parties if not party.taken)
    assert any(value.surface == "the second half of 2026" and value.use == "effective_on" for value in testing.values)


def test_a_sum_that_is_not_the_amount_is_shown_as_such(story: Explanation) -> None:
    uses = {value.surface: value.use for reason in story.deals for value in reason.values if "million" in value.surface}
    assert uses == {"$45 million": "amount", "$300 million": None}


def test_names_are_no_dates_in_the_reasons_either(models: run.Models, tmp_path: Path) -> None:
    """ "May Mobility" is a company to the row, so it is no month to its reason."""
    text = STORY.replace("is said to be weighing an investment in Larkspur", "invested $20 million in Larkspur")
    text = text.replace("Larkspur Autonomy", "May Mobility").replace("Larkspur", "May Mobility")
    explanation = explain.explain(read(text, tmp_path), models, SETTINGS)
    assert any("in May Mobility" in reason.deal.evidence for reason in explanation.deals)
    assert "May" not in {value.surface for reason in explanation.deals for value in reason.values}


TESTED = "Volta tests vans in Oslo from March 3, 2026."
DAY = DateMention(TESTED.index("March"), len(TESTED) - 1, "March 3, 2026", date(2026, 3, 3), "day")


@pytest.mark.parametrize(
    ("columns", "mention", "uses"),
    [
        ((date(2026, 3, 3), "day", date(2026, 2, 1)), DAY, ["effective_on"]),
        ((None, None, date(2026, 3, 3)), DAY, ["announced_on"]),
        ((date(2026, 3, 3), "day", date(2026, 3, 3)), DAY, ["effective_on", "announced_on"]),
        ((date(2026, 3, 1), "month", date(2026, 3, 1)), replace(DAY, date=date(2026, 3, 1)), ["announced_on"]),
        (
            (date(2026, 3, 1), "month", date(2026, 3, 1)),
            replace(DAY, date=date(2026, 3, 1), precision="month"),
            ["effective_on"],
        ),
        ((date(2027, 3, 3), "day", None), DAY, [None]),
    ],
    ids=[
        "effective",
        "announced",
        "both on one day",
        "its first day is announced",
        "its month is effective",
        "neither",
    ],
)
def test_a_time_says_each_column_that_it_fills(
    columns: tuple[date | None, Any, date | None], mention: DateMention, uses: list[str | None]
) -> None:
    effective, precision, announced = columns
    row = replace(
        deal(),
        evidence_start=0,
        evidence_end=len(TESTED),
        effective_on=effective,
        effective_precision=precision,
        announced_on=announced,
    )
    values = explain._values(row, document(TESTED), [mention])
    assert [value.use for value in values] == uses


def test_a_deal_is_explained_by_the_company_that_acts_in_its_evidence() -> None:
    """Two companies of one sentence act with the same probability; each row has the status of its own."""
    kind = DEAL_TYPES.index("testing")

    def scored(name: str, status: str) -> CompanyScores:
        acts = np.zeros(len(DEAL_TYPES), np.float32)
        acts[kind] = 0.9
        statuses = np.zeros((len(DEAL_TYPES), len(DEAL_STATUSES)), np.float32)
        statuses[kind, DEAL_STATUSES.index(status)] = 1
        return CompanyScores(name, True, acts, statuses, {}, {})

    sentence = SentenceScores(0, len(TESTED), 0, (scored("kerr", "active"), scored("volta", "planned")))
    row = replace(
        deal(),
        deal_type="testing",
        status="planned",
        parties=(Party("volta", "Volta", "operator"),),
        locations=(),
        evidence_start=0,
        evidence_end=len(TESTED),
        confidence=0.9,
    )
    found = extraction(document(TESTED), [], [], [], [row])
    reason = explain._deal(row, "volta", found, [sentence], [], [], SETTINGS)
    assert [(status.name, status.probability) for status in reason.statuses] == [("planned", 1.0)]


def test_with_a_higher_threshold_rows_become_near_misses(story: Explanation, models: run.Models) -> None:
    highest = max(story.deals, key=lambda reason: reason.deal.confidence).deal
    deal = {**SETTINGS.thresholds.deal, highest.deal_type: min(1.0, highest.confidence + 0.01)}
    stricter = replace(SETTINGS, thresholds=replace(SETTINGS.thresholds, company=0.999, deal=deal))
    explanation = explain.explain(story.document, models, stricter)
    assert "Octopus Ventures" in [reason.name for reason in explanation.near_companies]
    assert all(reason.confidence < reason.threshold for reason in explanation.near_companies)
    stricter = replace(SETTINGS, thresholds=replace(SETTINGS.thresholds, deal=deal))
    explanation = explain.explain(story.document, models, stricter)
    assert highest not in [reason.deal for reason in explanation.deals]
    near = {(each.deal_type, each.start): each for each in explanation.near_deals}
    missed = near[highest.deal_type, highest.evidence_start]
    assert missed.probability == highest.confidence < missed.threshold


def test_an_article_without_companies_is_explained_too(models: run.Models, tmp_path: Path) -> None:
    explanation = explain.explain(read(NOTE, tmp_path), models, SETTINGS)
    assert (explanation.companies, explanation.deals, explanation.near_deals) == ((), (), ())
    assert [reason.owners for reason in explanation.levels] == [()]
    assert "whose: nobody's" in printed(explanation)


def test_the_pieces_are_the_text(story: Explanation) -> None:
    pieces = list(explain_report.pieces(story))
    assert "".join(piece.text for piece in pieces) == story.document.text
    assert {piece.text for piece in pieces if piece.mark and piece.mark.kind == "place"} >= {"Leeds", "Cambridge"}
    for number, reason in enumerate(story.deals, 1):
        told = "".join(piece.text for piece in pieces if number in piece.deals)
        assert told == reason.deal.evidence


def printed(explanation: Explanation, terminal: bool = False) -> str:
    console = Console(
        width=80, file=io.StringIO(), force_terminal=terminal, color_system="standard" if terminal else None
    )
    explain_report.print_legend(console)
    explain_report.print_explanation(explanation, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_file_gets_brackets_and_a_terminal_colours(story: Explanation) -> None:
    plain, coloured = printed(story), printed(story, terminal=True)
    assert "with online grocer [Ocado] in" in " ".join(plain.split())
    assert "{Level 4}" in plain
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80
    assert "[Ocado]" not in coloured
    assert "\x1b[1;" in coloured


HOSTILE = "<img src=x onerror=alert(1)> \x1b[2J \u202e[/bold] & {{ 7 * 7 }}"


def test_strange_text_stays_text(story: Explanation) -> None:
    hostile = replace(story.document, title=HOSTILE, text=story.document.text.replace("Yorkshire", "<b>York\x1bs"))
    trapped = replace(story, document=hostile)
    assert not [c for c in printed(trapped) if c in "\x1b\u202e"]
    page = explain_report.as_html([trapped])
    tree = lxml_html.fromstring(page)
    assert not tree.xpath("//img | //script | //b | //link | //iframe | //@src | //@onerror")
    assert "{{ 7 * 7 }}" in tree.xpath("string(//h2)")
    assert "prefers-color-scheme: dark" in page


def test_the_page_holds_the_text_and_the_reasons(story: Explanation) -> None:
    tree = lxml_html.fromstring(explain_report.as_html([story]))
    assert {mark.text for mark in tree.xpath("//p[@class='text']//mark[@class='company']")} >= {"Ocado", "Nvidia"}
    assert [summary.text.split()[0] for summary in tree.xpath("//summary")] == [
        "Deals", "Nearly", "Companies", "Levels", "Places",
    ]  # fmt: skip


@pytest.fixture
def command(models: run.Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with two articles, one of them twice, and one that is too short; the models are loaded already."""
    monkeypatch.setattr(run, "load_models", lambda _: models)
    monkeypatch.chdir(tmp_path)
    records = [
        {"title": "A", "text": STORY},
        {"title": "A", "text": STORY},
        {"title": "B", "text": NOTE},
        {"text": "No."},
    ]
    (tmp_path / "news.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return tmp_path


def invoke(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli.app, ["explain", *arguments], input=stdin)


def test_each_article_is_explained_once_and_rejects_are_told(command: Path) -> None:
    result = invoke("news.jsonl", "--html", "out.html")
    assert result.exit_code == 0
    assert result.stdout.count("Companies") == 2
    assert "left out, too_short: news.jsonl#4" in result.stderr
    assert (command / "out.html").read_text(encoding="utf-8").count("<h2>") == 2


def test_json_is_one_article_a_line(command: Path) -> None:
    told = [json.loads(line) for line in invoke("news.jsonl", "--json").stdout.splitlines()]
    assert [each["document"]["title"] for each in told] == ["A", "B"]
    assert {"companies", "levels", "places", "deals", "near_companies", "near_deals"} <= told[0].keys()


def test_the_limit_is_told(command: Path) -> None:
    result = invoke("news.jsonl", "--limit", "1", "--json")
    assert len(result.stdout.splitlines()) == 1
    assert "more than 1 article" in result.stderr


@pytest.mark.parametrize("text", [STORY, json.dumps({"text": STORY}), f"<html><body><p>{STORY}</p></body></html>"])
def test_standard_input_has_any_format(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(text.encode())))  # type: ignore[arg-type]
    monkeypatch.setattr(explain, "sys", SimpleNamespace(stdin=stdin))
    [article] = explain.documents(["-"], SETTINGS)
    assert not isinstance(article, Reject)
    assert "Larkspur Autonomy" in article.text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.txt"], 2, "nowhere.txt: no such file or folder"),
        (["news.jsonl", "--settings", "nowhere.toml"], 2, "nowhere.toml: cannot be read"),
        (["short.txt"], 1, "no article to explain"),
    ],
)
def test_mistakes_are_told_without_a_traceback(command: Path, arguments: list[str], code: int, message: str) -> None:
    (command / "short.txt").write_text("No.", encoding="utf-8")
    result = invoke(*arguments)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
