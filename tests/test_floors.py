"""The figures of the shipped models do not fall below what was reached (``corpora/floors.json``)."""

import pytest

from corpora.annotations import read_records
from pipeline import settings
from pipeline.evaluation import measure
from pipeline.floors import FLOORS, ROOT, below, digest_of, read_floors
from pipeline.run import load_models
from pipeline.scoring import F1_FIGURES, NOT_COMPANIES, SHARES

PINNED = read_floors()


def test_our_own_test_part_is_pinned_with_every_figure():
    assert FLOORS.exists()
    own = PINNED.sets["corpora/gold/test.jsonl"]
    assert set(own.floors) == {*F1_FIGURES, *SHARES, NOT_COMPANIES}
    assert PINNED.tolerance == 0.005  # wider would let models get worse in small steps


@pytest.fixture(scope="module")
def models():
    return load_models(settings.load(None))


@pytest.mark.slow
@pytest.mark.parametrize("pinned", PINNED.sets.values(), ids=lambda pinned: pinned.gold)
def test_no_figure_falls_below_its_floor(pinned, models):
    path = ROOT / pinned.gold
    if not path.exists():
        pytest.skip(f"{pinned.gold} belongs to its publishers and is not here")
    assert digest_of(path) == pinned.sha256, "the articles have changed: roadwire evaluate --pin --lower-floors"
    records = read_records(path, ROOT / pinned.texts if pinned.texts else None)
    assert below(measure(records, settings.load(None), models), pinned, PINNED.tolerance) == []
