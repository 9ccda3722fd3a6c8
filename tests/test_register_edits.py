"""Edits of the company register: what add and merge write, what they refuse, and that old ids stay valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.gazetteer import GazetteerError, load_register
from pipeline.link.companies import link_name, unknown_company_id
from pipeline.register_edits import EditError, NewCompany, add, add_names, check, merge, ordinary_words, slug

HEADS = {
    "companies.csv": "company_id,name,kind,hq_country,hq_city,ticker,parent_id,brand",
    "aliases.csv": "alias,company_id,risk",
    "publishers.csv": "name,aliases,kind,country,ambiguous",
    "public_bodies.csv": "name,aliases,kind,country",
    "products.csv": "name,company_id,kind,common_word",
    "alias_clashes.csv": "alias,candidates",
    "company_history.csv": "company_id,event,date,other",
    "company_redirects.csv": "old_id,company_id",
    "company_ids.csv": "company_id,sec_cik,isin,figi,legal_name",
}
BODIES = {
    "companies.csv": "fjordway,Fjordway,developer,NO,Oslo,,,0\nfjordway-ferries,Fjordway Ferries,other,NO,,,fjordway,0",
    "aliases.csv": "Fjordway,fjordway,none\nFjordway Ferries,fjordway-ferries,none\nFjordlab,fjordway-ferries,none",
    "public_bodies.csv": "Ruter,,agency,NO",
    "products.csv": "Skiff,fjordway-ferries,shuttle,0",
    "company_history.csv": "fjordway-ferries,founded,2019,",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file, head in HEADS.items():
        body = BODIES.get(file, "")
        (tmp_path / file).write_text(f"{head}\n{body}\n" if body else f"{head}\n", encoding="utf-8")
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_a_firm_keeps_the_id_that_it_had_before_the_register_knew_it(folder: Path) -> None:
    before = unknown_company_id("Kestrel Robotics Inc")
    add(folder, NewCompany(("Kestrel Robotics", "红隼"), kind="developer", founded="2021-03"))
    register = load_register(folder)
    assert register.companies["kestrel-robotics"].kind == "developer"
    assert register.current_id(before) == "kestrel-robotics"
    assert register.current_id(unknown_company_id("红隼")) == "kestrel-robotics"
    assert link_name("Kestrel Technologies", register) == "kestrel-robotics"


def test_the_id_of_an_ordinary_word_was_anybodys_and_leads_nowhere(folder: Path) -> None:
    add(folder, NewCompany(("Summit",), risk="english_word"))
    assert load_register(folder).redirects == {}


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewCompany(("Fjordlab",)), "is a name of the company fjordway-ferries already"),
        (NewCompany(("Ruter",)), "is a name of the public_body already"),
        (NewCompany(("Fjordway Technologies",)), r"reads as fjordway \(Fjordway\) already"),
        (NewCompany(("Boreal",), company_id="fjordway"), "the id 'fjordway' is or was another firm's"),
        (NewCompany(("Boreal",), parent_id="fiordway"), "unknown parent 'fiordway'; did you mean fjordway"),
        (NewCompany(("Boreal",), risk="high"), "unknown risk 'high'; known are"),
        (NewCompany(("北光",)), "no Latin letter"),
        (NewCompany((" ",), company_id="blank"), "is no name"),
    ],
)
def test_a_firm_that_cannot_be_added_is_refused_with_the_reason(folder: Path, new: NewCompany, message: str) -> None:
    before = contents(folder)
    with pytest.raises(EditError, match=message):
        add(folder, new)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewCompany(("Boreal",), kind="wizard"), "unknown kind 'wizard'"),
        (NewCompany(("Boreal",), hq_country="Norway"), "is no ISO 3166-1"),
        (NewCompany(("Boreal",), ticker="BRL"), "is not MIC:SYMBOL"),
        (NewCompany(("Boreal",), founded="spring"), "'spring' is no year"),
    ],
)
def test_a_wrong_field_changes_no_file(folder: Path, new: NewCompany, message: str) -> None:
    before = contents(folder)
    with pytest.raises(GazetteerError, match=message):
        add(folder, new)
    assert contents(folder) == before


def test_merging_moves_all_that_names_the_record(folder: Path) -> None:
    add(folder, NewCompany(("Boreal",), parent_id="fjordway-ferries"))
    add(folder, NewCompany(("Skerry",)))
    merge(folder, "fjordway-ferries", "skerry")
    register = load_register(folder)
    assert "fjordway-ferries" not in register.companies
    assert {name for name, known in register.names.items() if known[0].company_id == "skerry"} == {
        "Skerry", "Fjordway Ferries", "Fjordlab", "Skiff",
    }  # fmt: skip
    assert register.companies["boreal"].parent_id == "skerry"
    assert register.current_id("fjordway-ferries") == "skerry"
    assert [event.kind for event in register.history["skerry"]] == ["founded"]


def test_ids_given_up_twice_lead_to_the_one_in_use(folder: Path) -> None:
    add(folder, NewCompany(("Boreal",)))
    add(folder, NewCompany(("Skerry",)))
    merge(folder, "x-tern", "boreal")
    merge(folder, "boreal", "skerry")
    register = load_register(folder)
    assert {register.current_id(old) for old in ("x-tern", "x-boreal", "boreal")} == {"skerry"}
    assert link_name("Tern", register) == "skerry"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fjordway", "nobody", "unknown company 'nobody'"),
        ("fjordwai", "fjordway", "unknown company 'fjordwai'; did you mean fjordway"),
        ("fjordway", "fjordway", "means 'fjordway' already"),
    ],
)
def test_a_merger_that_cannot_be_is_refused(folder: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(EditError, match=message):
        merge(folder, old, new)


def test_names_can_be_added_to_a_firm(folder: Path) -> None:
    add_names(folder, "fjordway", ["Fjordway Autonomy", "FJW"])
    risks = {name.text: name.risk for known in load_register(folder).names.values() for name in known}
    assert (risks["Fjordway Autonomy"], risks["FJW"]) == ("none", "short_acronym")


def test_check_lists_what_deserves_a_look(folder: Path) -> None:
    add(folder, NewCompany(("Skerry",), ticker="XOSL:SKE"))
    add(folder, NewCompany(("Tern",), ticker="XOSL:SKE"))
    assert check(folder, {"tern"}) == [
        "XOSL:SKE is the ticker of skerry and tern",
        "'Tern' (tern) is an ordinary word, but its risk is none",
    ]


def test_ordinary_words_come_from_our_own_texts() -> None:
    assert {"driver", "bridge"} <= ordinary_words()
    assert "waymo" not in ordinary_words()


@pytest.mark.parametrize(("name", "expected"), [("Rhino Drive & Co", "rhino-drive"), ("Škoda Auto", "skoda-auto")])
def test_slugs(name: str, expected: str) -> None:
    assert slug(name) == expected
