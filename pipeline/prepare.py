"""Preparing: what a reader delivered becomes a document with a fixed text and identity, or a reject.

In: one ``Article``. Out: a ``Document`` and its ``Sighting``, or a ``Reject``. The text is cleaned once, here,
and every offset of every table refers to the result. Lines that are no news (subscription offers, copyright)
stay: cutting them is a judgement about content. Near copies are found later (see ``pipeline.duplicates``).
"""

from __future__ import annotations

import functools
import hashlib
import html
import itertools
import re
import unicodedata

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from pipeline.publication_time import publication_time
from pipeline.records import Article, Document, Reject, RejectReason, Sighting
from pipeline.settings import Settings

# 80 bits: among 1,000,000,000 articles the chance of one collision is below 1 in 1,000,000.
ID_HEX_DIGITS = 20
# Characters of the text that the language is read from; more changes nothing and costs time.
LANGUAGE_CHARS = 1000
# A text is refused only where none of the wanted languages reaches this probability. Headlines full of names
# look like many languages at once: at .01, 5 of 5,407 English headlines of 40 and more characters were
# refused, and none of 101 sentences in 22 other languages accepted. At .5 it is 1,261 headlines.
MIN_LANGUAGE_PROBABILITY = 0.01
# Lines among which a title counts as already told; a dateline or byline may stand before it.
TITLE_LINES = 3
# A text is hard-wrapped, as on the terminals of the wires and in press texts by e-mail, where the lines inside its
# paragraphs are at most this long, 70 % of them nearly as long as the longest, 60 % end without a mark that ends a
# sentence, and a third of the lines after them go on in lower case (headlines and lists do not).
WRAP_COLUMN = 120
WRAP_MIN_LINES = 4

LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Soft hyphen, zero-width characters, marks of writing direction, byte order marks, invisible operators, tags.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
SPACES = re.compile(r"[^\S\n]+")
ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|[lr]squo|[lr]dquo|[mn]dash|hellip|#\d{2,6}|#x[0-9a-fA-F]{2,5});")


def prepare(article: Article, settings: Settings) -> tuple[Document, Sighting] | Reject:
    """Clean, date and name one article, or say why it is left out.

    The title is put before the text as a line of its own where the text does not begin with it, because many
    deals are told in the headline. ``article_id`` is the digest of the text that results: articles with the
    same id have the same text, to the letter.
    """
    title = clean_line(article.title)
    text = with_title(clean_text(article.text), title)
    reading = settings.reading
    if not text:
        return _reject(article, "empty", "no characters left after cleaning")
    if len(text) < reading.min_chars:
        return _reject(article, "too_short", f"{len(text)} characters, fewer than {reading.min_chars}")
    if len(text) > reading.max_chars:
        return _reject(article, "oversized", f"{len(text):,} characters, more than {reading.max_chars:,}")
    language = identify_language(text, reading.languages)
    if language is None:
        wanted = ", ".join(reading.languages)
        return _reject(article, "not_english", f"language is {likeliest_language(text)}, wanted: {wanted}")
    article_id = identity(text)
    url, publisher = clean_line(article.url), clean_line(article.publisher)
    published_at = publication_time(article.published)
    document = Document(
        article_id=article_id,
        source_uri=article.source_uri,
        text=text,
        url=url,
        title=title,
        publisher=publisher,
        author=clean_line(article.author),
        published_at=published_at,
        language=language,
    )
    return document, Sighting(article_id, article.source_uri, url, publisher, published_at, article.fetched_at)


def identity(text: str) -> str:
    """The id of an article with the cleaned ``text``."""
    return "a" + hashlib.sha256(text.encode("utf-8")).hexdigest()[:ID_HEX_DIGITS]


def clean_text(text: str) -> str:
    """``text`` in Unicode NFC with one line a paragraph, no control or invisible characters, single spaces.

    NFC joins letters and accents but keeps what was printed: NFKC would turn ½ into 1⁄2 and ² into 2.
    Applying it twice is the same as applying it once, for entities that were escaped no more than twice.
    """
    text = CONTROLS.sub("", INVISIBLE.sub("", LINE_ENDS.sub("\n", _unescaped(text))))
    text = unicodedata.normalize("NFC", _unwrapped(text))
    lines = (SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def clean_line(text: str | None) -> str | None:
    """``text`` cleaned and on one line; None where nothing is left."""
    return " ".join(clean_text(text).split()) or None if text else None


def with_title(text: str, title: str | None) -> str:
    """``text`` with ``title`` as its first line, unless it begins with it."""
    if not title:
        return text
    told = _letters("".join(text.split("\n", TITLE_LINES)[:TITLE_LINES])[: 4 * len(title) + 400])
    if not text or _letters(title) in told:
        return text or title
    return f"{title}\n{text}"


def identify_language(text: str, wanted: tuple[str, ...]) -> str | None:
    """The likeliest of the ``wanted`` languages (ISO 639-1), or None where the text is in another one."""
    ranked = dict(_language_model().rank(text[:LANGUAGE_CHARS]))
    best = max(wanted, key=lambda language: ranked.get(language, 0.0), default=None)
    return best if best is not None and ranked.get(best, 0.0) >= MIN_LANGUAGE_PROBABILITY else None


def likeliest_language(text: str) -> str:
    """The likeliest language of ``text`` of all that the model knows."""
    return str(_language_model().classify(text[:LANGUAGE_CHARS])[0])


@functools.cache
def _language_model() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _unescaped(text: str) -> str:
    """Entities that a source left in its text, some of them escaped twice."""
    for _ in range(2):
        if not ENTITY.search(text):
            break
        text = ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
    return text


def _unwrapped(text: str) -> str:
    """Hard-wrapped paragraphs as one line each; text in which a line is a paragraph stays as it is.

    A paragraph ends at an empty line or before an indented one. Without either nothing tells a wrapped line
    from a paragraph, and the text is left alone.
    """
    lines = [line.rstrip() for line in text.split("\n")]
    joints = [
        (line, following)
        for line, following in itertools.pairwise(lines)
        if line and following and not following[0].isspace()
    ]
    marked = any(not line or line[0].isspace() for line in lines[1:-1])
    if not marked or len(joints) < WRAP_MIN_LINES:
        return text
    longest = max(len(line) for line, _ in joints)
    full = sum(len(line) >= 0.75 * longest for line, _ in joints)
    unfinished = sum(not line.endswith((".", "!", "?", ":", "”", '"')) for line, _ in joints)
    carried_on = sum(following[0].islower() for _, following in joints)
    wrapped = full >= 0.7 * len(joints) and unfinished >= 0.6 * len(joints) and carried_on >= len(joints) / 3
    if longest > WRAP_COLUMN or not wrapped:
        return text
    return re.sub(r"(?<=\S)[^\S\n]*\n(?=\S)", " ", text)


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _reject(article: Article, reason: RejectReason, cause: str) -> Reject:
    _, mark, item = article.source_uri.rpartition("#")
    return Reject(
        article.source_uri, item if mark and item.isdigit() else None, reason, f"{article.source_uri}: {cause}"
    )
