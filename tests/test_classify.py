"""The encoder at run time: names decoded from tags, and the same reading whatever the batch and the padding."""

import dataclasses
import itertools
import subprocess
import sys
import time

import numpy as np
import pytest
from encoder_factories import WEIGHTS, article, doc, spans_of, tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import classify
from pipeline.classify import LABELS, NewsEncoder, Scores, load_classifier, name_spans, sentence_spans
from pipeline.model_files import ModelError
from pipeline.records import DEAL_STATUSES, DEAL_TYPES, Document
from pipeline.settings import load
from pipeline.windows import make_windows

# Names, from tag probabilities made by hand


def tags_of(window, *named, inside=0.9):
    """Tag probabilities of a window: per token B- or I- of a label as named, O for the others.

    ``named``: (start, end, label) in characters, with a fourth value where the probability is another one.
    """
    tags = np.zeros((len(window.input_ids), 1 + 2 * len(LABELS)), np.float32)
    for start, end, label, *probability in named:
        column = 1 + 2 * LABELS.index(label)
        at = np.flatnonzero((window.starts < end) & (window.ends > start) & (window.starts >= 0))
        for first, index in enumerate(at):
            tags[index, column + bool(first)] = probability[0] if probability else inside
    tags[:, 0] = 1 - tags[:, 1:].sum(1)
    return tags


def decoded(sentence, *named):
    """(surface, label) of the names in a text of that sentence; ``named``: (surface, label[, probability])."""
    (window,) = make_windows(sentence, [(0, len(sentence))], tokenizer())
    placed = [(sentence.index(s), sentence.index(s) + len(s), *rest) for s, *rest in named]
    found = name_spans(sentence, window, tags_of(window, *placed))
    assert all(span.method == "classifier" for span in found)
    return [(sentence[span.start : span.end], span.label) for span in found]


@pytest.mark.parametrize(
    ("sentence", "tagged", "names"),
    [
        ("Volta drives.", [], []),
        ("Volta drives.", [("Volta", "COMPANY")], [("Volta", "COMPANY")]),
        ("Volta", [("Volta", "COMPANY")], [("Volta", "COMPANY")]),  # up to the last token
        ("In Bonn, Ministry of Roads and Volta.",
         [("Bonn", "PLACE"), ("Ministry of Roads", "ORGANISATION"), ("Volta", "COMPANY")],
         [("Bonn", "PLACE"), ("Ministry of Roads", "ORGANISATION"), ("Volta", "COMPANY")]),
        # names side by side: the second begins anew, or is of another label
        ("Volta Kestrel drive.", [("Volta", "COMPANY"), ("Kestrel", "COMPANY")],
         [("Volta", "COMPANY"), ("Kestrel", "COMPANY")]),
        ("Volta Kestrel drive.", [("Volta Kestrel", "COMPANY")], [("Volta Kestrel", "COMPANY")]),
        ("Bonn Volta drives.", [("Bonn", "PLACE"), ("Volta", "COMPANY")], [("Bonn", "PLACE"), ("Volta", "COMPANY")]),
        # whole words, though the pieces Ke- and -strel be tagged apart
        ("Kestrel drives.", [("K", "COMPANY")], [("Kestrel", "COMPANY")]),
        ("Kestrel drives.", [("strel", "COMPANY")], [("Kestrel", "COMPANY")]),
        ("Kestrel drives.", [("Ke", "COMPANY"), ("strel", "COMPANY")], [("Kestrel", "COMPANY")]),
        ("Kestrel drives.", [("Ke", "PLACE", 0.4), ("strel", "COMPANY", 0.8)], [("Kestrel", "COMPANY")]),
        # a word of which the middle piece was missed is one name (tel ##eo ##pt ##ron ##ix)
        ("Teleoptronix drives.", [("Tel", "COMPANY", 0.8), ("ronix", "COMPANY", 0.7)],
         [("Teleoptronix", "COMPANY")]),
        # but marks end a word
        ("Volta's vans.", [("Volta", "COMPANY")], [("Volta", "COMPANY")]),
        ("Volta-Kestrel drives.", [("Kestrel", "COMPANY")], [("Kestrel", "COMPANY")]),
        ("Volta.ai drives.", [("Volta.ai", "COMPANY")], [("Volta.ai", "COMPANY")]),
        ("한국자동차 drives.", [("한국자동차", "COMPANY")], [("한국자동차", "COMPANY")]),
        # unsure names are proposed too
        ("Volta drives.", [("Volta", "COMPANY", 0.26)], [("Volta", "COMPANY")]),
        ("Volta drives.", [("Volta", "COMPANY", 0.24)], []),
    ],
)  # fmt: skip
def test_names(sentence, tagged, names):
    assert decoded(sentence, *tagged) == names


def test_the_probability_is_that_of_the_label_over_the_name():
    sentence = "Volta Kestrel drive."
    (window,) = make_windows(sentence, [(0, len(sentence))], tokenizer())
    tags = tags_of(window, (0, 13, "COMPANY", 0.6))
    tags[1] = [0.1, 0.7, 0.1, 0, 0, 0.1, 0]  # Volta: B- and I- count together
    (name,) = name_spans(sentence, window, tags)
    assert name.probability == pytest.approx((0.8 + 2 * 0.6) / 3, abs=1e-4)  # and Ke-, -strel


def test_a_name_in_the_context_of_the_next_window_is_not_reported_again():
    text, spans = article("Volta tests vans", *["Kestrel drives. " * 30] * 5)
    windows = make_windows(text, spans, tokenizer())
    assert len(windows) > 1
    named = [(start, end, "COMPANY") for start, end, _ in spans_of(text, "Volta", "Kestrel")]
    found = [span for window in windows for span in name_spans(text, window, tags_of(window, *named))]
    assert [(span.start, span.end, span.label) for span in found] == named


SENTENCES = st.lists(
    st.sampled_from(["Volta", "Kestrel", "Teleoptronix", "한국", "C3.ai", "AT&T", "so", "😀", ","]),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(SENTENCES, st.integers(0, 2**32 - 1))
def test_names_are_whole_words_that_share_no_text_whatever_the_tags(words, seed):
    text, spans = article(" ".join(words), " ".join(reversed(words)))
    rng = np.random.default_rng(seed)
    for window in make_windows(text, spans, tokenizer()):
        found = name_spans(text, window, rng.dirichlet([0.4] * 7, len(window.input_ids)).astype(np.float32))
        for name in found:
            assert 0 <= name.start < name.end <= len(text)
            assert 0 <= name.probability <= 1
            assert not text[max(0, name.start - 1) : name.start + 1].isalnum() or name.start == 0
            assert not text[name.end - 1 : name.end + 1].isalnum() or name.end == len(text)
        for left, right in itertools.pairwise(found):
            assert left.end <= right.start


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(" \n\tab😀\u00a0.", max_size=8), max_size=6))
def test_sentences_have_no_blanks_around_them(pieces):
    text = "".join(pieces)
    ends = np.cumsum([0, *map(len, pieces)]).tolist()
    found = sentence_spans(text, doc(list(itertools.pairwise(ends))))
    assert [text[start:end] for start, end in found] == [piece.strip() for piece in pieces if piece.strip()]


# The encoder that ships. What it says of a text may change with its weights; these things may not.

STORIES = [
    ("Volta to supply Kestrel", "Volta will supply Level 4 chips to Kestrel Motors in Bonn.", "Rides start in March."),
    ("Ridewell opens plant", "Ridewell has opened a plant in Oslo.", *["The firm of Oslo drives on."] * 40),
    ("Markets", "It is early."),
    ("Marlo and Volta join forces", "Marlo, Volta and the Ministry of Roads test vans in Bonn and Oslo.") * 4,
]
COMPANIES = ("Volta", "Kestrel", "Ridewell", "Marlo")
PLACES = ("Bonn", "Oslo")


def documents(stories=STORIES):
    made = []
    for number, story in enumerate(stories):
        text, spans = article(*story)
        made.append((Document(f"a{number}", "news/a.txt", text), doc(spans)))
    return made


@pytest.fixture(scope="module")
def encoder():
    return NewsEncoder(WEIGHTS, 16)


@pytest.fixture(scope="module")
def readings(encoder):
    return encoder.read(documents())


def score(reading, text):
    levels = [(start, end) for start, end, _ in spans_of(text, "Level 4")]
    return reading.score(spans_of(text, *COMPANIES), spans_of(text, *PLACES), levels)


def scores_of(reading, text):
    return score(reading, text).sentences


def numbers(reading, text):
    """All that was scored in one document, in order."""
    found = [name.probability for name in reading.names]
    for sentence in scores_of(reading, text):
        for company in sentence.companies:
            for values in (company.acts, company.status, *company.parties.values(), *company.places.values()):
                found += values.ravel().tolist()
    found += [share for shares in score(reading, text).owners for share in shares.values()]
    return np.array(found)


def assert_same_reading(one, other, text):
    assert [dataclasses.replace(n, probability=0) for n in one.names] == [
        dataclasses.replace(n, probability=0) for n in other.names
    ]
    np.testing.assert_allclose(numbers(one, text), numbers(other, text), atol=1e-4)


def test_it_loads_in_seconds():
    started = time.monotonic()
    load_classifier(load())
    assert time.monotonic() - started < 5


def test_a_reading_has_names_and_scores_of_every_sentence_with_a_company_in_reach(readings):
    assert len(readings) == len(STORIES)
    (document, _), reading = documents()[0], readings[0]
    scored = scores_of(reading, document.text)
    assert [document.text[s.start : s.end] for s in scored] == list(STORIES[0])
    assert [s.sentence_index for s in scored] == [0, 1, 2]
    assert [[(c.name, c.in_sentence) for c in s.companies] for s in scored] == [
        [("Volta", True), ("Kestrel", True)],
        [("Volta", True), ("Kestrel", True)],
        [("Volta", False), ("Kestrel", False)],
    ]
    for company in scored[1].companies:
        assert company.acts.shape == (len(DEAL_TYPES),)
        assert company.status.shape == (len(DEAL_TYPES), len(DEAL_STATUSES))
        np.testing.assert_allclose(company.status.sum(-1), 1, atol=1e-5)
        assert set(company.parties) == {"Volta", "Kestrel"} - {company.name}
        assert set(company.places) == {"Bonn"}
        for values in (company.acts, *company.parties.values(), *company.places.values()):
            assert ((values >= 0) & (values <= 1)).all()


def test_each_level_has_shares_of_the_companies_in_reach_and_the_rest_is_nobodys(readings):
    (document, _), reading = documents()[0], readings[0]
    (shares,) = score(reading, document.text).owners
    assert set(shares) == {"Volta", "Kestrel"}
    assert all(share >= 0 for share in shares.values())
    assert sum(shares.values()) <= 1


def test_without_companies_or_text_there_is_nothing_to_score(encoder):
    (reading,) = encoder.read(documents(STORIES[:1]))
    text = documents()[0][0].text
    assert reading.score([], spans_of(text, *PLACES), [(0, 5)]) == Scores([], [{}])
    (empty,) = encoder.read([(Document("a", "a.txt", "\u200b"), doc([(0, 1)]))])
    assert (list(empty.names), empty.score([(0, 1, "volta")], [], [])) == ([], Scores([], []))
    assert encoder.read([]) == []


def test_a_reading_does_not_depend_on_the_batch(readings):
    single = NewsEncoder(WEIGHTS, 1).read(documents())
    for one, other, (document, _) in zip(readings, single, documents(), strict=True):
        assert_same_reading(one, other, document.text)
    assert len(numbers(readings[0], documents()[0][0].text)) > 100


@pytest.mark.parametrize("number", [0, 3])
def test_a_reading_does_not_depend_on_what_else_is_read(encoder, readings, number):
    document, sentences = documents()[number]
    (alone,) = encoder.read([(document, sentences)])
    assert_same_reading(alone, readings[number], document.text)


def test_a_reading_does_not_depend_on_padding(encoder, readings, monkeypatch):
    monkeypatch.setattr(classify, "PADDING_STEP", 200)
    document, sentences = documents()[0]
    (padded,) = encoder.read([(document, sentences)])
    assert_same_reading(padded, readings[0], document.text)


def test_it_reads_without_torch():
    program = """
import sys
from encoder_factories import article, doc
from pipeline.classify import load_classifier
from pipeline.records import Document
from pipeline.settings import load
text, spans = article("Volta to supply Kestrel", "It is early.")
(reading,) = load_classifier(load()).read([(Document("a", "a.txt", text), doc(spans))])
reading.score([(0, 5, "volta")], [], [])
print(*sorted({"torch", "transformers", "spacy"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert (done.stdout.strip(), done.stderr.strip(), done.returncode) == ("", "", 0)


@pytest.mark.parametrize("name", ["tokenizer.json", "encoder.onnx", "deals.onnx", "heads.onnx", "calibration.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}"], ids=["missing", "empty", "of another kind"])
def test_damaged_weights_are_refused_when_loading_and_named(tmp_path, name, content):
    for path in WEIGHTS.iterdir():
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=str(tmp_path)):
        NewsEncoder(tmp_path, 1)


def test_weights_cut_short_are_refused(tmp_path):
    for path in WEIGHTS.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError, match=str(tmp_path)):
        NewsEncoder(tmp_path, 1)
