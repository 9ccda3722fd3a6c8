"""Documents -> spaCy ``Doc``: tokens, sentences and names, nothing lost and nothing moved.

In: documents. Out: one ``Doc`` each, in order, with ``doc.text == document.text``.
It will not decide what a name is (``pipeline.extract`` does), and it sets no extension attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.model_files import ModelError
from pipeline.records import Document
from pipeline.settings import Settings

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

#: Characters that go through the network at once. spaCy's ``ner`` needs about 2 kB a character at batch size 800,
#: where it is also slower: 100,000 characters (some 120 articles) are the fast range and stay below 300 MB.
GROUP_CHARS = 100_000

#: A longer text is read in pieces of this size. spaCy refuses texts of a million characters and takes 1 GB for one.
PIECE_CHARS = 50_000

# Components that nothing here reads; without them the small English pipeline is twice as fast.
_UNUSED = ("tagger", "morphologizer", "attribute_ruler", "lemmatizer", "parser")
_NAMES = Path(__file__).resolve().parent.parent / "models" / "names"
# Preferred ends of a piece, best first: a paragraph, a line, a sentence, a word.
_BREAKS = tuple(re.compile(pattern) for pattern in (r"\n\s*\n", r"\n", r"[.!?]\s", r"\s"))


def load_nlp(settings: Settings) -> Language:
    """The spaCy pipeline that ships with roadwire, or the one that ``settings.models.names`` states.

    Raises ``ModelError`` where it is not there.
    """
    import spacy

    import pipeline.sentences  # noqa: F401  registers the component that the shipped pipeline names

    source = settings.models.names or str(_NAMES / "pipeline")
    try:
        nlp = spacy.load(source, exclude=_UNUSED)
    except (OSError, ValueError) as error:
        raise ModelError(f"spaCy pipeline {source}: cannot be loaded ({error})") from error
    if not any(name in nlp.pipe_names for name in ("senter", "sentencizer", "parser")):
        nlp.add_pipe("sentencizer", first=True)
    return nlp


def groups(documents: Iterable[Document], max_chars: int = GROUP_CHARS) -> Iterator[list[Document]]:
    """Neighbouring documents of about ``max_chars`` together; at least one document each."""
    group: list[Document] = []
    chars = 0
    for document in documents:
        if group and chars + len(document.text) > max_chars:
            yield group
            group, chars = [], 0
        group.append(document)
        chars += len(document.text)
    if group:
        yield group


def annotate(nlp: Language, documents: Sequence[Document]) -> list[Doc]:
    """One ``Doc`` for each document.

    Call it inside ``with nlp.memory_zone():`` and let no ``Doc``, ``Span`` or ``Token`` leave the zone: spaCy
    frees their strings when it ends (without a zone, its vocabulary grows with every new word, for ever).
    """
    from spacy.tokens import Doc

    cuts = [list(pieces(document.text)) for document in documents]
    parts = nlp.pipe([piece for cut in cuts for piece in cut])
    docs = []
    for document, cut in zip(documents, cuts, strict=True):
        own = [next(parts) for _ in cut]
        doc = own[0] if len(own) == 1 else Doc.from_docs(own, ensure_whitespace=False)
        if doc is None or doc.text != document.text:
            raise ValueError(f"{document.source_uri}: the tokens do not spell the text")
        docs.append(doc)
    return docs


def pieces(text: str, size: int = PIECE_CHARS) -> Iterator[str]:
    """``text`` in pieces of at most ``size`` characters that end at a paragraph, line, sentence or word where possible.

    The pieces joined are the text, letter for letter.
    """
    start = 0
    while len(text) - start > size:
        window = text[start : start + size]
        end = next((found[-1] for at in _BREAKS if (found := [m.end() for m in at.finditer(window, size // 2)])), size)
        yield window[:end]
        start += end
    yield text[start:]
