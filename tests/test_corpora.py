"""What was written down is described: every gazetteer and every column of it."""

import csv
import re
from pathlib import Path

import pytest

CORPORA = Path(__file__).parents[1] / "corpora"
GAZETTEERS = sorted((CORPORA / "gazetteers").iterdir())
ROWS = [line for line in (CORPORA / "gazetteers.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("path", GAZETTEERS, ids=lambda path: path.name)
def test_every_gazetteer_is_described_with_its_columns(path):
    (row,) = [row for row in ROWS if f"`{path.name}`" in row.split(" | ")[0]]
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            assert set(re.findall(r"`(\w+)`", row.split(" | ")[2])) == set(next(csv.reader(file)))


def test_identifiers_belong_to_companies_of_the_register():
    ids = {}
    for name in ("companies", "company_ids"):
        with (CORPORA / "gazetteers" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            ids[name] = [row["company_id"] for row in csv.DictReader(file)]
    assert set(ids["company_ids"]) <= set(ids["companies"])
    assert len(set(ids["company_ids"])) == len(ids["company_ids"])
