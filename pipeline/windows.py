"""Windows: what the encoder reads of a document in one pass.

In: text and its sentence spans. Out: ``Window`` records of about ``MAX_TOKENS`` word pieces, each a run of whole
sentences preceded by the headline and the sentences before them as context. Every sentence (or piece of a very long
one) is owned by exactly one window, so nothing is left out and nothing is scored twice. It runs no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

# Longer windows cost more than they gave on the training articles, whose median has 310 pieces. One unit is owned
# whatever the context takes, so a long sentence after a full context makes 2 + 40 + 72 + 160 = 274 (BERT reads 512).
MAX_TOKENS = 256
MAX_UNIT_TOKENS = 160  # a longer sentence (a list, a table, glued text) is scored in pieces
CONTEXT_TOKENS = 72  # sentences before the owned ones, as many as fit
HEADLINE_TOKENS = 40
SHAPES = 4  # lower case or no letters, Capitalised, ALL CAPITALS, miXed

_WORD = re.compile(r"\w+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, or a piece of a very long one, as a range of one window's tokens."""

    start: int  # character offsets
    end: int
    sentence_index: int
    first_token: int
    last_token: int  # exclusive
    owned: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Token arrays of shape (tokens,); ``starts`` and ``ends`` are character offsets, -1 at special tokens.

    ``type_ids`` carry letter case and place, which the uncased vocabulary loses: shape + 4 where in the first line.
    """

    input_ids: NDArray[np.int64]
    type_ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    units: tuple[Unit, ...]


@cache
def load_tokenizer(path: Path) -> Tokenizer:
    """The word-piece tokenizer at ``path``, without truncation or padding."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def make_windows(text: str, sentences: Sequence[tuple[int, int]], tokenizer: Tokenizer) -> list[Window]:
    """Cut a document into windows. ``sentences`` are half-open character ranges in order."""
    units = [unit for index, span in enumerate(sentences) for unit in _units(text, index, span, tokenizer)]
    if not units:
        return []
    first_line_end = text.find("\n") if "\n" in text else 0
    shapes = _word_shapes(text)
    windows: list[Window] = []
    position = 0
    while position < len(units):
        context = _context(units, position)
        size = 2 + sum(len(units[i][1]) for i in context)
        end = position
        while end < len(units) and (end == position or size + len(units[end][1]) <= MAX_TOKENS):
            size += len(units[end][1])
            end += 1
        windows.append(_window(units, [*context, *range(position, end)], position, shapes, first_line_end, tokenizer))
        position = end
    return windows


_Token = tuple[int, int, int]  # vocabulary index, start, end
_RawUnit = tuple[int, list[_Token]]  # sentence index, tokens


def _units(text: str, index: int, span: tuple[int, int], tokenizer: Tokenizer) -> list[_RawUnit]:
    start, end = span
    encoding = tokenizer.encode(text[start:end], add_special_tokens=False)
    tokens = [(i, start + s, start + e) for i, (s, e) in zip(encoding.ids, encoding.offsets, strict=True)]
    return [(index, tokens[i : i + MAX_UNIT_TOKENS]) for i in range(0, len(tokens), MAX_UNIT_TOKENS)]


def _context(units: Sequence[_RawUnit], position: int) -> list[int]:
    room = CONTEXT_TOKENS
    context: list[int] = []
    for index in range(position - 1, 0, -1):
        room -= len(units[index][1])
        if room < 0:
            break
        context.insert(0, index)
    if position and len(units[0][1]) <= HEADLINE_TOKENS:
        context.insert(0, 0)
    return context


def _word_shapes(text: str) -> dict[int, int]:
    """Shape of the word that covers each character where a word starts or goes on."""
    shapes: dict[int, int] = {}
    for match in _WORD.finditer(text):
        word = match.group()
        if word.islower() or not any(c.isalpha() for c in word):
            continue
        shape = (
            2
            if len(word) > 1 and word.isupper()
            else 1
            if word[0].isupper() and not any(map(str.isupper, word[1:]))
            else 3
        )
        shapes.update(dict.fromkeys(range(match.start(), match.end()), shape))
    return shapes


def _window(
    units: Sequence[_RawUnit],
    chosen: Sequence[int],
    first_owned: int,
    shapes: dict[int, int],
    first_line_end: int,
    tokenizer: Tokenizer,
) -> Window:
    rows: list[tuple[int, int, int, int]] = [(_special(tokenizer, "[CLS]"), 0, -1, -1)]
    placed = []
    for number in chosen:
        sentence_index, tokens = units[number]
        first = len(rows)
        rows += [(i, shapes.get(s, 0) + SHAPES * (s < first_line_end), s, e) for i, s, e in tokens]
        placed.append(Unit(tokens[0][1], tokens[-1][2], sentence_index, first, len(rows), number >= first_owned))
    rows.append((_special(tokenizer, "[SEP]"), 0, -1, -1))
    ids, types, starts, ends = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Window(ids, types, starts, ends, tuple(placed))


def _special(tokenizer: Tokenizer, name: str) -> int:
    index = tokenizer.token_to_id(name)
    if index is None:
        raise ValueError(f"the tokenizer has no {name}")
    return int(index)
