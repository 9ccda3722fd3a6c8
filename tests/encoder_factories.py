"""Invented articles as the encoder reads them: sentences joined to a text, with their spans, and cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tokenizers import Tokenizer

import models
from pipeline.windows import Window, load_tokenizer, make_windows

WEIGHTS = Path(next(iter(models.__path__))) / "news_encoder" / "weights"


def tokenizer() -> Tokenizer:
    """The one that ships; loading it twice gives the same object."""
    return load_tokenizer(WEIGHTS / "tokenizer.json")


def article(*sentences: str) -> tuple[str, list[tuple[int, int]]]:
    """The text, whose first sentence is the headline on a line of its own, and the spans of the sentences."""
    text, spans = "", []
    for index, sentence in enumerate(sentences):
        text += "" if not index else "\n" if index == 1 else " "
        spans.append((len(text), len(text) + len(sentence)))
        text += sentence
    return text, spans


def windows(*sentences: str) -> list[Window]:
    return make_windows(*article(*sentences), tokenizer())


def spans_of(text: str, *names: str) -> list[tuple[int, int, str]]:
    """Every occurrence of the names, in text order."""
    found = [(i, i + len(name), name) for name in names for i in range(len(text)) if text.startswith(name, i)]
    return sorted(found)


def doc(sentences: Sequence[tuple[int, int]]) -> Any:
    """As much of a spaCy ``Doc`` as the encoder looks at."""
    return SimpleNamespace(sents=[SimpleNamespace(start_char=s, end_char=e) for s, e in sentences], ents=[])
