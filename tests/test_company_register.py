"""The company register: what loads, what is refused and how that is told, and what a firm was at a time."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline import gazetteer
from pipeline.gazetteer import GazetteerError, load_register

REGISTER = load_register()


class TestRegister:
    """A gazetteer row that cannot be right is an error that names file and line."""

    HEADS: ClassVar[dict[str, str]] = {
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

    def write(self, folder: Path, **rows: str) -> Path:
        defaults = {"companies": "kestrel,Kestrel,developer,NO,Oslo,,,0", "aliases": "Kestrel,kestrel,none"}
        for file, head in self.HEADS.items():
            body = {**defaults, **rows}.get(file.removesuffix(".csv"), "")
            (folder / file).write_text(f"{head}\n{body}\n" if body else f"{head}\n", encoding="utf-8")
        return folder

    def test_what_is_right_loads(self, tmp_path: Path) -> None:
        register = load_register(self.write(tmp_path))
        assert register.companies["kestrel"].hq_country == "NO"
        assert [spelling.text for spelling in register.by_first_word["kestrel"]] == ["Kestrel"]

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ({"companies": "k,Kestrel,developer,NO,,,,0\nk,Kestrel,developer,NO,,,,0"}, r"companies\.csv:3: .*twice"),
            ({"companies": "k,Kestrel,wizard,NO,,,,0"}, r"companies\.csv:2: unknown kind 'wizard'"),
            ({"companies": "k,Kestrel,developer,Norway,,,,0"}, r"companies\.csv:2: 'Norway' is no ISO"),
            ({"companies": "k,Kestrel,developer,NO,,KES,,0"}, r"companies\.csv:2: ticker 'KES'"),
            ({"companies": "k,Kestrel,developer,NO,,,nobody,0"}, r"companies\.csv:2: unknown parent 'nobody'"),
            ({"companies": "k,Kestrel,developer"}, r"companies\.csv:2: wrong number of columns"),
            ({"aliases": "Kes,nobody,none"}, r"aliases\.csv:2: alias 'Kes' of unknown company 'nobody'"),
            ({"aliases": "Kes,kestrel,high"}, r"aliases\.csv:2: unknown risk 'high'"),
            ({"publishers": "Kestrel,,trade,NO,0"}, r"publishers\.csv:2: 'Kestrel' is listed already"),
            ({"aliases": "Kes,kestrel,none"}, r"aliases\.csv: the name 'Kestrel' is not among its aliases"),
            ({"company_history": "nobody,founded,2018,"}, r"company_history\.csv:2: unknown company 'nobody'"),
            ({"company_history": "kestrel,born,2018,"}, r"company_history\.csv:2: unknown event 'born'"),
            ({"company_history": "kestrel,founded,May 2018,"}, r"company_history\.csv:2: 'May 2018' is no year"),
            ({"company_history": "kestrel,founded,2018-13,"}, r"company_history\.csv:2: month must be"),
            ({"company_history": "kestrel,renamed,2018,"}, r"company_history\.csv:2: .*lacks the name"),
            ({"company_history": "kestrel,listed,2018,KES"}, r"company_history\.csv:2: ticker 'KES'"),
            ({"company_history": "kestrel,owned_by,2018,nobody"}, r"company_history\.csv:2: unknown company 'nobody'"),
            (
                {"company_history": "kestrel,owned_by,2018,kestrel"},
                r"last owner is kestrel, but companies.csv says none",
            ),
            (
                {"company_history": "kestrel,renamed,2015,Kes\nkestrel,founded,2016,"},
                r"company_history\.csv:3: .*before it was founded",
            ),
            ({"company_redirects": "kestrel,kestrel"}, r"company_redirects\.csv:2: 'kestrel' is in use"),
            ({"company_redirects": "x-kes,nobody"}, r"company_redirects\.csv:2: .*unknown company 'nobody'"),
            ({"company_ids": "kestrel,CIK1,,,"}, r"company_ids\.csv:2: 'CIK1' is no central index key"),
            ({"company_ids": "kestrel,,US0378331006,,"}, r"company_ids\.csv:2: 'US0378331006' is no ISIN"),
            ({"products": "K2,nobody,car,0"}, r"products\.csv:2: product 'K2' of unknown company"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, rows: dict[str, str], message: str) -> None:
        with pytest.raises(GazetteerError, match=message):
            load_register(self.write(tmp_path, **rows))

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(GazetteerError, match=r"companies\.csv: cannot be read"):
            load_register(tmp_path)

    def test_the_one_that_ships_is_whole(self) -> None:
        assert len(REGISTER.companies) > 1_800
        for company in REGISTER.companies.values():
            assert REGISTER.names[company.name]
        assert gazetteer.load_name_words("descriptive") & {"mobility", "robotics"} == {"mobility", "robotics"}


@pytest.mark.parametrize(("company_id", "name"), [("meta", "Meta"), ("oxa", "Oxa"), ("waymo", "Waymo")])
def test_a_firm_has_one_name_whatever_it_bore_so_that_counts_by_name_hold(company_id: str, name: str) -> None:
    companies = [REGISTER.at(company_id, day) for day in (None, date(2018, 3, 1), date(2025, 3, 1))]
    assert {company.name for company in companies if company} == {name}


@pytest.mark.parametrize(
    ("company_id", "day", "parent"),
    [
        ("cruise", date(2015, 6, 1), None),
        ("cruise", date(2018, 6, 1), "general-motors"),
        ("mobileye", date(2016, 6, 1), None),
        ("mobileye", date(2018, 6, 1), "intel"),
        ("volvo-cars", date(2005, 6, 1), "ford"),
        ("volvo-cars", date(2018, 6, 1), "geely"),
        ("opel", date(2010, 6, 1), "general-motors"),
        ("opel", date(2019, 6, 1), "psa-group"),
        ("opel", date(2023, 6, 1), "stellantis"),
        ("chrysler", date(2000, 6, 1), "daimlerchrysler"),
        ("mercedes-benz", date(2018, 6, 1), "daimler"),
        ("mercedes-benz", date(2023, 6, 1), None),
    ],
)
def test_a_firm_belongs_to_the_owner_that_it_had(company_id: str, day: date, parent: str | None) -> None:
    company = REGISTER.at(company_id, day)
    assert company is not None
    assert company.parent_id == parent


@pytest.mark.parametrize(
    ("company_id", "day", "ticker"),
    [
        ("velodyne", date(2019, 1, 1), None),
        ("velodyne", date(2021, 6, 1), "XNAS:VLDR"),
        ("velodyne", date(2024, 1, 1), None),
        ("aurora", date(2020, 1, 1), None),
        ("aurora", date(2023, 1, 1), "XNAS:AUR"),
    ],
)
def test_a_ticker_counts_while_the_firm_is_listed(company_id: str, day: date, ticker: str | None) -> None:
    company = REGISTER.at(company_id, day)
    assert company is not None
    assert company.ticker == ticker


def test_every_firm_that_ended_by_a_merger_has_a_successor_that_was_there() -> None:
    for company_id, events in REGISTER.history.items():
        for event in events:
            if event.kind == "succeeded_by":
                assert event.other != company_id
                assert REGISTER.existed(event.other, event.on), (company_id, event)
