"""The whole product in one process, with a small fake where a model would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import spacy
from batch_factories import VERSIONS, document
from hypothesis import given
from hypothesis import strategies as st

from pipeline import annotate, run, settings, shards, tables, workers
from pipeline.classify import Scores
from pipeline.gazetteer import load_register
from pipeline.link.place_gazetteer import load_gazetteer
from pipeline.model_files import ModelError
from pipeline.records import Article, Document, Extraction, Reject

SETTINGS = settings.load()
PATH_OF_SAMPLES = Path(__file__).parents[1] / "corpora" / "samples"


@dataclass
class Reading:
    """What the classifier says about one article."""

    names: tuple[Any, ...] = ()

    def score(self, companies: Any, places: Any, levels: Sequence[Any]) -> Scores:
        return Scores([], [{} for _ in levels])


class Silence:
    """A classifier that sees nothing, and fails where a text says so."""

    def read(self, pairs: Sequence[tuple[Document, Any]]) -> list[Reading]:
        if any("fail here" in each.text for each, _ in pairs):
            raise ValueError("the text asked for it")
        return [Reading() for _ in pairs]


@pytest.fixture(scope="module")
def models() -> run.Models:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return run.Models(nlp, Silence(), load_register(), load_gazetteer())  # type: ignore[arg-type]


def article(text: str, source_uri: str = "a.txt") -> Article:
    return Article(source_uri, text)


TOYOTA = "Toyota will test a Level 4 shuttle in Oslo next year, and the shuttle will carry a safety driver at first."
LEVELS = "A car with a Level 3 system may drive itself on some German motorways while the driver reads the newspaper."


def test_articles_become_tables(models: run.Models) -> None:
    made = run.run_batch([article(TOYOTA)], "b", SETTINGS, models)
    assert set(made) == set(tables.SCHEMAS)
    assert made["articles"]["text"].to_pylist() == [TOYOTA]
    assert [(row["surface"], row["level_min"]) for row in made["autonomy_levels"].to_pylist()] == [("Level 4", 4)]
    assert "Oslo" in made["locations"]["surface"].to_pylist()


def test_every_item_is_accounted_for(models: run.Models) -> None:
    items = [article(TOYOTA), Reject("b.bin", None, "unreadable", "noise"), article(TOYOTA, "c.txt"), article("No.")]
    made = run.run_batch(items, "b", SETTINGS, models)
    assert made["sightings"].num_rows == 2
    assert made["articles"].num_rows == 1
    assert made["rejects"]["reason"].to_pylist() == ["unreadable", "too_short"]


def test_an_article_that_breaks_a_step_is_a_reject_and_the_others_are_read(models: run.Models) -> None:
    bad = f"{LEVELS} This text makes the classifier fail here."
    made = run.run_batch([article(TOYOTA), article(bad, "bad.txt#3"), article(LEVELS, "c.txt")], "b", SETTINGS, models)
    assert made["articles"].num_rows == 2
    (reject,) = made["rejects"].to_pylist()
    assert (reject["source_uri"], reject["item"], reject["reason"]) == ("bad.txt#3", "3", "failed")
    assert reject["detail"].startswith("ValueError: the text asked for it (test_run.py:")


def test_no_articles_give_typed_tables(models: run.Models) -> None:
    made = run.run_batch([], "b", SETTINGS, models)
    assert {name: table.schema for name, table in made.items()} == dict(tables.SCHEMAS)


def test_want_of_memory_is_not_the_fault_of_an_article(models: run.Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> list[Extraction]:
        raise MemoryError

    monkeypatch.setattr(run, "extract", starved)
    with pytest.raises(MemoryError):
        run.extract_all([document()], models, SETTINGS)


def test_a_worker_leaves_checked_tables_beside_the_documents(models: run.Models, tmp_path: Path) -> None:
    order = shards.Order("b", SETTINGS, VERSIONS)
    documents = [document(TOYOTA), document(f"{LEVELS} fail here")]
    (shard,) = shards.stage(documents, tmp_path, order)
    assert not shard.done.exists()
    workers.process_shard(shard.path, order, models)
    (articles,) = shards.load([shard], "articles")
    assert articles["text"].to_pylist() == [TOYOTA]
    assert list(shards.failed([shard])) == [documents[1].article_id]


# Annotation


@given(st.text(alphabet="ab .\n", max_size=200), st.integers(min_value=2, max_value=40))
def test_pieces_joined_are_the_text(text: str, size: int) -> None:
    cut = list(annotate.pieces(text, size))
    assert "".join(cut) == text
    assert all(len(piece) <= size for piece in cut)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.\n\nThree. Four words more", "One. Two.\n\n"),
        ("One and two.\nThree. Four words more", "One and two.\n"),
        ("One and two and. Three and four", "One and two and. "),
        ("one two three four five six", "one two three four "),
        ("a" * 30, "a" * 20),
    ],
)
def test_a_piece_ends_where_the_text_does_best(text: str, first: str) -> None:
    assert next(annotate.pieces(text, 20)) == first


def test_a_long_text_is_read_to_its_end(models: run.Models) -> None:
    text = "Waymo drives in Phoenix. " * 6000 + "The last word is Zagreb."
    assert len(text) > 2 * annotate.PIECE_CHARS
    with models.nlp.memory_zone():
        (doc,) = annotate.annotate(models.nlp, [document(text)])
        assert doc.text == text
        assert sum(1 for _ in doc.sents) == 6001
        assert doc[-2].text == "Zagreb"
        assert doc[-2].idx == text.index("Zagreb")


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=30), max_size=20), st.integers(min_value=1, max_value=50))
def test_groups_keep_every_document_in_order(texts: list[str], max_chars: int) -> None:
    documents = [document(text, f"{n}.txt") for n, text in enumerate(texts)]
    grouped = list(annotate.groups(documents, max_chars))
    assert [each for group in grouped for each in group] == documents
    assert all(len(group) == 1 or sum(len(each.text) for each in group) <= max_chars for group in grouped)


def test_the_vocabulary_does_not_grow_with_the_articles(models: run.Models) -> None:
    def read(start: int) -> int:
        texts = [f"{TOYOTA} Word{n} is new, and so is Term{n}x." for n in range(start, start + 30)]
        run.extract_all([document(text) for text in texts], models, SETTINGS)
        return len(models.nlp.vocab.strings)

    read(0)
    assert read(100) == read(200)


def test_a_missing_model_is_told_by_name() -> None:
    chosen = replace(SETTINGS, models=settings.Models(names="no_such_pipeline"))
    with pytest.raises(ModelError, match="spaCy pipeline no_such_pipeline: cannot be loaded"):
        annotate.load_nlp(chosen)


def test_a_damaged_weight_file_is_told_before_any_article(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.json").write_text("{}")
    monkeypatch.setattr(run, "load_weights", partial(run.load_weights, tmp_path / "weights.json"))
    with pytest.raises(ModelError, match="cannot be loaded: 'weights'"):
        run.load_models(SETTINGS)


def test_relevance_is_that_of_the_text(models: run.Models) -> None:
    bakery = "The bakery in Oslo sells bread and cakes, and its owner will open a second shop there next spring."
    made = run.run_batch([article(TOYOTA), article(bakery, "b.txt")], "b", SETTINGS, models)
    driving, baking = made["articles"]["relevance"].to_pylist()
    assert driving > 0.5 > baking
