"""Windows: every sentence is owned once, no window grows too long, and every offset points into the text."""

import operator

import numpy as np
import pytest
from encoder_factories import article, tokenizer, windows
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.windows import (
    CONTEXT_TOKENS,
    HEADLINE_TOKENS,
    MAX_TOKENS,
    MAX_UNIT_TOKENS,
    SHAPES,
    make_windows,
)

LONGEST = 2 + HEADLINE_TOKENS + CONTEXT_TOKENS + MAX_UNIT_TOKENS
POSITIONS = 512  # that BERT has

ODD = [
    "😀",
    "👩‍👩‍👧",
    "\u200b",
    "\u00ad",
    "e\u0301",
    "한국",
    "東京",
    "İ",
    "ﬁ",
    "\ufffd",
    "[SEP]",
    "x" * 150,
    "L4",
    "C3.ai",
    "ß",
    "\t",
]
PIECES = st.one_of(st.text(max_size=12), st.sampled_from(ODD), st.text("abc ,.Ae1\n", max_size=12))
SENTENCES = st.lists(st.builds(operator.mul, PIECES, st.integers(1, 120)), max_size=10)


def words(n):
    """A sentence of ``n`` tokens."""
    return " ".join(["drives"] * n)


def owned(window):
    return [unit.sentence_index for unit in window.units if unit.owned]


def context(window):
    return [unit.sentence_index for unit in window.units if not unit.owned]


def surfaces(text, window):
    return [text[start:end] for start, end in zip(window.starts, window.ends, strict=True) if start >= 0]


def shapes(sentence):
    """Token and shape, in a text that has no headline."""
    (window,) = make_windows(sentence, [(0, len(sentence))], tokenizer())
    return list(zip(surfaces(sentence, window), window.type_ids[1:-1].tolist(), strict=True))


def test_a_short_article_is_one_window_between_special_tokens():
    text, spans = article("Volta tests vans", "It drives in Bonn.", "It is early.")
    (window,) = make_windows(text, spans, tokenizer())
    assert [tokenizer().id_to_token(i) for i in window.input_ids[[0, -1]]] == ["[CLS]", "[SEP]"]
    assert window.starts[0] == window.starts[-1] == window.ends[0] == window.ends[-1] == -1
    assert surfaces(text, window) == [
        "Volta",
        "tests",
        "vans",
        "It",
        "drives",
        "in",
        "Bonn",
        ".",
        "It",
        "is",
        "early",
        ".",
    ]
    assert owned(window) == [0, 1, 2]
    assert [(unit.start, unit.end) for unit in window.units] == spans


def test_later_windows_start_with_the_headline_and_the_sentences_before():
    first, second, third = windows("Volta tests vans", *[words(50)] * 10)
    assert (context(first), owned(first)) == ([], [0, 1, 2, 3, 4, 5])
    assert (context(second), owned(second)) == ([0, 5], [6, 7, 8, 9])
    assert (context(third), owned(third)) == ([0, 9], [10])


@pytest.mark.parametrize(
    ("sentences", "seen"),
    [
        ([words(HEADLINE_TOKENS), words(200), words(72), words(160)], [0, 2]),
        ([words(HEADLINE_TOKENS + 1), words(100), words(72), words(160)], [2]),  # too long for a headline
        ([words(5), words(200), words(73), words(160)], [0]),  # the sentence before does not fit
        ([words(5), words(200), words(30), words(40), words(160)], [0, 2, 3]),
        # no sentence is skipped for one further back
        ([words(5), words(1), words(100), words(1), words(160)], [0, 3]),
    ],
)
def test_context_is_what_fits(sentences, seen):
    assert context(windows(*sentences)[-1]) == seen


def test_a_long_sentence_after_full_context_makes_the_longest_window():
    last = windows(words(HEADLINE_TOKENS), words(100), words(CONTEXT_TOKENS), words(MAX_UNIT_TOKENS))[-1]
    assert MAX_TOKENS < len(last.input_ids) == LONGEST < POSITIONS


def test_a_very_long_sentence_is_scored_in_pieces_of_the_same_sentence():
    text, spans = article("Volta tests vans", words(400))
    units = [unit for window in make_windows(text, spans, tokenizer()) for unit in window.units if unit.owned]
    assert [unit.sentence_index for unit in units] == [0, 1, 1, 1]
    assert [unit.last_token - unit.first_token for unit in units] == [3, 160, 160, 80]
    assert units[1].start == spans[1][0]
    assert units[-1].end == spans[1][1]


@pytest.mark.parametrize("sentences", [[], [""], ["\u200b"], ["", "\n", "\ufffd"]])
def test_nothing_to_read_is_no_window(sentences):
    assert windows(*sentences) == []


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("a van", [("a", 0), ("van", 0)]),
        ("Bonn", [("Bonn", 1)]),
        ("A", [("A", 1)]),  # one capital is Capitalised
        ("US", [("US", 2)]),
        ("Zoox", [("Zoo", 1), ("x", 1)]),  # a piece has the shape of its word
        ("iPhone", [("iPhone", 3)]),
        ("5 1990s", [("5", 0), ("1990s", 0)]),
        ("C3", [("C", 2), ("3", 2)]),
        ("Uber-AI.", [("Uber", 1), ("-", 0), ("AI", 2), (".", 0)]),
    ],
)
def test_letter_case_is_kept_beside_the_uncased_vocabulary(sentence, expected):
    assert shapes(sentence) == expected


def test_the_headline_is_marked_in_every_window():
    text, spans = article("Volta Tests", *[words(100)] * 4)
    for window in make_windows(text, spans, tokenizer()):
        headline = (window.starts >= 0) & (window.starts < spans[0][1])
        assert window.type_ids[headline].tolist() == [1 + SHAPES, 1 + SHAPES]
        assert set(window.type_ids[~headline]) == {0}


def test_a_text_of_one_line_has_no_headline():
    assert shapes("Volta drives") == [("Volta", 1), ("drives", 0)]


@settings(max_examples=60, deadline=None)
@given(SENTENCES)
@example(["한국" * 90, "한국" * 90])
def test_every_sentence_is_owned_once_in_order(sentences):
    text, spans = article(*sentences)
    cut = make_windows(text, spans, tokenizer())
    readable = [i for i, (s, e) in enumerate(spans) if tokenizer().encode(text[s:e], add_special_tokens=False).ids]
    order = [index for window in cut for index in owned(window)]
    assert order == sorted(order)
    assert sorted(set(order)) == readable
    pieces = [(unit.start, unit.end) for window in cut for unit in window.units if unit.owned]
    assert pieces == sorted(pieces)


@settings(max_examples=60, deadline=None)
@given(SENTENCES)
def test_no_window_is_too_long_and_only_one_long_sentence_makes_it_longer_than_wanted(sentences):
    for window in windows(*sentences):
        assert len(window.input_ids) <= LONGEST
        assert len(window.input_ids) <= MAX_TOKENS or len(owned(window)) == 1
        assert all(unit.last_token - unit.first_token <= MAX_UNIT_TOKENS for unit in window.units)


@settings(max_examples=60, deadline=None)
@given(SENTENCES)
def test_offsets_spell_the_text(sentences):
    text, spans = article(*sentences)
    for window in make_windows(text, spans, tokenizer()):
        units = window.units
        assert [unit.first_token for unit in units] == [1, *(unit.last_token for unit in units[:-1])]
        assert units[-1].last_token == len(window.input_ids) - 1
        for unit in units:
            starts, ends = (a[unit.first_token : unit.last_token] for a in (window.starts, window.ends))
            assert (unit.start, unit.end) == (starts[0], ends[-1])
            assert spans[unit.sentence_index][0] <= unit.start < unit.end <= spans[unit.sentence_index][1]
            assert (starts < ends).all()
            assert (np.diff(starts) >= 0).all()
            for index, start, end in zip(
                window.input_ids[unit.first_token : unit.last_token], starts, ends, strict=True
            ):
                token = tokenizer().id_to_token(index)
                read = tokenizer().normalizer.normalize_str(text[start:end])
                assert token == "[UNK]" or token.removeprefix("##").lower() in read


@settings(max_examples=60, deadline=None)
@given(SENTENCES)
def test_every_letter_and_digit_is_read(sentences):
    text, spans = article(*sentences)
    read = {
        offset
        for window in make_windows(text, spans, tokenizer())
        for start, end in zip(window.starts, window.ends, strict=True)
        for offset in range(start, end)
    }
    assert not [text[i] for s, e in spans for i in range(s, e) if text[i].isalnum() and i not in read]
