"""The transformer at run time: names in the text, and for each sentence which deal it tells, of whom and where.

In: documents with their spaCy ``Doc`` (for sentences). Out: ``Reading`` records; deals and the owners of levels are
scored on demand, once the companies and places of the document are known. It runs ONNX files of
``models/news_encoder`` on the CPU, in 32 bits, and needs neither torch nor a model hub. It decides nothing: thresholds
belong to ``pipeline.extract``.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

import models
from pipeline.entities import (
    Candidate,
    Entity,
    candidate_pairs,
    entities_of_window,
    marks_of_window,
    owner_candidates,
)
from pipeline.extract.companies import spacy_name_spans
from pipeline.model_files import ModelError
from pipeline.records import Document, NameSpan
from pipeline.settings import Settings
from pipeline.windows import Unit, Window, load_tokenizer, make_windows

if TYPE_CHECKING:
    from spacy.tokens import Doc

WEIGHTS = Path(next(iter(models.__path__))) / "news_encoder" / "weights"
LABELS = ("COMPANY", "ORGANISATION", "PLACE")  # in the order of the tagger's B- and I- columns
# A name is proposed from this probability on; pipeline.extract.companies weighs it with other evidence. Lower values
# brought no further company of the held-out articles and twice the candidates.
NAME_THRESHOLD = 0.25
PADDING_STEP = 32  # tokens; windows are padded to a multiple, so that like lengths share one shape

Span = tuple[int, int]
NamedSpan = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class CompanyScores:
    """How one company stands to the deals that one sentence tells. Arrays run over ``DEAL_TYPES``."""

    name: str
    in_sentence: bool
    acts: NDArray[np.float32]  # (types,) it is the acting party of a deal of that type
    status: NDArray[np.float32]  # (types, statuses) of that deal
    parties: dict[str, NDArray[np.float32]]  # other company -> (types,) it is a party of that deal
    places: dict[str, NDArray[np.float32]]  # place -> (types,) it is where that deal happens


@dataclass(frozen=True, slots=True)
class SentenceScores:
    start: int
    end: int
    sentence_index: int
    companies: tuple[CompanyScores, ...]
    places_here: frozenset[str] = frozenset()  # of the places that were scored, those that the sentence itself names


@dataclass(frozen=True, slots=True)
class Scores:
    """What a document says of its companies: the deals of its sentences, and whose each level is.

    ``owners``: for each level, company -> probability that its system has the level; the rest is nobody's.
    """

    sentences: list[SentenceScores]
    owners: list[dict[str, float]]


class Reading(Protocol):
    """What was read in one document."""

    @property
    def names(self) -> Sequence[NameSpan]: ...

    def score(self, companies: Sequence[NamedSpan], places: Sequence[NamedSpan], levels: Sequence[Span]) -> Scores:
        """Score every sentence that has a company in reach, and every level.

        In: ``(start, end, id)`` of all mentions of companies and places, ``(start, end)`` of the levels.
        """


class Classifier(Protocol):
    """Whatever reads documents; tests pass a fake of a few lines."""

    def read(self, documents: Sequence[tuple[Document, Doc]]) -> Sequence[Reading]: ...


def load_classifier(settings: Settings) -> Classifier:
    """The encoder that ships with roadwire. Raises ``ModelError`` where its files are missing or damaged."""
    return NewsEncoder(WEIGHTS, settings.running.batch_size)


class NewsEncoder:
    """The ONNX encoder, its deal layers and heads, one thread each: processes give more than threads at this size."""

    def __init__(self, folder: Path, batch_size: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._tokenizer = load_tokenizer(folder / "tokenizer.json")
            self._encoder, self._deals, self._heads = (
                onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
                for name in ("encoder.onnx", "deals.onnx", "heads.onnx")
            )
            fitted = json.loads((folder / "calibration.json").read_text(encoding="utf-8"))
            self._temperatures = {head: float(fitted[head]) for head in ("tags", "status", "pair", "place", "owner")}
            self._acting_scale, self._acting_shift = float(fitted["role"]["scale"]), float(fitted["role"]["shift"])
        except Exception as error:  # onnxruntime and tokenizers each raise types of their own
            raise ModelError(f"news encoder in {folder}: cannot be loaded ({error})") from error
        self._batch_size = batch_size

    def read(self, documents: Sequence[tuple[Document, Doc]]) -> list[Reading]:
        """One ``Reading`` for each document, in order."""
        cut = [
            make_windows(document.text, sentence_spans(document.text, doc), self._tokenizer)
            for document, doc in documents
        ]
        flat = [window for windows in cut for window in windows]
        states = iter(self._encode(flat))
        readings: list[Reading] = []
        for (document, doc), windows in zip(documents, cut, strict=True):
            encoded = [(window, *next(states)) for window in windows]
            names = [span for window, _, tags in encoded for span in name_spans(document.text, window, tags)]
            shared = [(window, state) for window, state, _ in encoded]
            spoken = [*spacy_name_spans(doc), *names]
            readings.append(EncodedDocument(tuple(spoken), tuple(shared), self))
        return readings

    def _encode(self, windows: Sequence[Window]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """(states of the shared layers, tag probabilities) of each window, without padding."""
        rows = [(w.input_ids, np.ones_like(w.input_ids), w.type_ids) for w in windows]
        outputs = self._run(self._encoder, ("input_ids", "attention_mask", "type_ids"), ("shared", "tags"), rows)
        return [(shared, _softmax(tags / self._temperatures["tags"])) for shared, tags in outputs]

    def states_for_deals(
        self, windows: Sequence[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]
    ) -> list[NDArray[np.float32]]:
        """Hidden states (tokens, 384) that deals are read from, of windows as (shared states, marks, numbers)."""
        rows = [(shared, np.ones_like(marks), marks, numbers) for shared, marks, numbers in windows]
        names = ("shared", "attention_mask", "marks", "numbers")
        return [hidden for (hidden,) in self._run(self._deals, names, ("hidden",), rows)]

    def _run(
        self,
        session: Any,
        inputs: Sequence[str],
        outputs: Sequence[str],
        rows: Sequence[tuple[NDArray[Any], ...]],
    ) -> list[tuple[NDArray[np.float32], ...]]:
        """Run a graph over arrays of differing length: like lengths in a batch, the padding cut off again."""
        out: list[Any] = [None] * len(rows)
        order = sorted(range(len(rows)), key=lambda i: (len(rows[i][0]), i))
        for position in range(0, len(order), self._batch_size):
            chosen = order[position : position + self._batch_size]
            longest = -(-max(len(rows[i][0]) for i in chosen) // PADDING_STEP) * PADDING_STEP
            feed = {}
            for column, name in enumerate(inputs):
                first = rows[chosen[0]][column]
                feed[name] = np.zeros((len(chosen), longest, *first.shape[1:]), first.dtype)
                for row, index in enumerate(chosen):
                    feed[name][row, : len(rows[index][column])] = rows[index][column]
            results = session.run(list(outputs), feed)
            for row, index in enumerate(chosen):
                out[index] = tuple(result[row, : len(rows[index][0])] for result in results)
        return out

    def score(
        self,
        hidden: NDArray[np.float32],
        units: Sequence[tuple[Unit, Sequence[tuple[Candidate, Sequence[Candidate], Sequence[Candidate]]]]],
        levels: Sequence[Sequence[Candidate]],
    ) -> tuple[list[SentenceScores], list[dict[str, float]]]:
        """Run the heads over the candidates of a window's sentences, and over the possible owners of its levels."""
        roles = [first.at for _, candidates in units for first, _, _ in candidates]
        pairs = [c.at for _, candidates in units for _, others, places in candidates for c in (*others, *places)]
        pairs += [c.at for candidates in levels for c in candidates]
        if not roles:
            return [], [{} for _ in levels]
        role_at = np.array(roles, np.int64)
        # The graph takes at least one pair; the score of this stand-in is never read.
        pair_at = np.array(pairs or [(0,) * 10], np.int64)
        sums = np.concatenate([np.zeros_like(hidden[:1]), np.cumsum(hidden, 0, dtype=np.float64)])

        def pooled(at: NDArray[np.int64], column: int) -> NDArray[np.float32]:
            first, last = at[:, column], at[:, column + 1]
            return np.asarray((sums[last] - sums[first]) / np.maximum(last - first, 1)[:, None], np.float32)

        feed: dict[str, NDArray[Any]] = {"mention": pooled(role_at, 0), "sentence": pooled(role_at, 2)}
        feed |= {"distance": role_at[:, 4], "count": role_at[:, 5]}
        feed |= {name: pooled(pair_at, 2 * i) for i, name in enumerate(("first", "second", "between", "around"))}
        feed |= {"near": pair_at[:, 8], "far": pair_at[:, 9]}
        role, status, pair, place, owner = self._heads.run(["role", "status", "pair", "place", "owner"], feed)
        acts = _sigmoid(role * self._acting_scale + self._acting_shift)
        party = _sigmoid(pair / self._temperatures["pair"])
        where = _sigmoid(place / self._temperatures["place"])
        status = _softmax(status / self._temperatures["status"])
        scores = []
        row = column = 0
        for unit, candidates in units:
            found = []
            for first, others, places in candidates:
                parties = {c.name: party[column + i] for i, c in enumerate(others)}
                column += len(others)
                located = {c.name: where[column + i] for i, c in enumerate(places)}
                column += len(places)
                found.append(CompanyScores(first.name, first.distance == 0, acts[row], status[row], parties, located))
                row += 1
            here = frozenset(p.name for _, _, places in candidates for p in places if p.distance == 0)
            scores.append(SentenceScores(unit.start, unit.end, unit.sentence_index, tuple(found), here))
        owners = []
        for firms in levels:
            logits = owner[column : column + len(firms)] / self._temperatures["owner"]
            column += len(firms)
            shares = _softmax(np.append(logits, np.float32(0)))  # the last is nobody's
            owners.append({c.name: float(share) for c, share in zip(firms, shares[:-1], strict=True)})
        return scores, owners


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document after the encoder's pass: its names, and the states that deals are read from."""

    names: tuple[NameSpan, ...]
    shared: tuple[tuple[Window, NDArray[np.float32]], ...]
    encoder: NewsEncoder

    def score(self, companies: Sequence[NamedSpan], places: Sequence[NamedSpan], levels: Sequence[Span]) -> Scores:
        """Sentences in text order; windows without a company in reach are not read again."""
        reach = [spans_by_reach(s) for s in (companies, places, [(*level, str(i)) for i, level in enumerate(levels)])]
        kept = []
        for window, shared in self.shared:
            firms, toponyms, stated = (entities_of_window(window, within(window)) for within in reach)
            units = [(u, c) for u in window.units if u.owned and (c := list(candidate_pairs(u, firms, toponyms)))]
            if units:
                marks = marks_of_window(len(window.input_ids), firms, toponyms, stated)
                kept.append((shared, marks, units, _possible_owners(window, stated, firms)))
        states = self.encoder.states_for_deals([(shared, *marks) for shared, marks, _, _ in kept])
        sentences: list[SentenceScores] = []
        owners: list[dict[str, float]] = [{} for _ in levels]
        for hidden, (_, _, units, owned) in zip(states, kept, strict=True):
            told, shares = self.encoder.score(hidden, units, list(owned.values()))
            sentences += told
            for index, share in zip(owned, shares, strict=True):
                owners[index] = share
        return Scores(sentences, owners)


def _possible_owners(
    window: Window, levels: Sequence[Entity], companies: Sequence[Entity]
) -> dict[int, list[Candidate]]:
    """Number of each level in the window's own sentences -> the companies that it could belong to."""
    found = {}
    for level in levels:
        first = level.mentions[0]
        unit = next((u for u in window.units if u.owned and u.first_token <= first[0] < u.last_token), None)
        if unit:
            found[int(level.name)] = owner_candidates(unit, first, companies)
    return found


def spans_by_reach(spans: Sequence[NamedSpan]) -> Callable[[Window], list[NamedSpan]]:
    """A look-up of the spans that touch a window, so that a long document costs its length and not its square."""
    ordered = sorted(spans)
    starts = [start for start, _, _ in ordered]
    longest = max((end - start for start, end, _ in ordered), default=0)

    def touching(window: Window) -> list[NamedSpan]:
        # The headline stands first and may lie far before the run of sentences that follows it.
        head, rest = window.units[0], window.units[1:]
        reaches = [(head.start, head.end), *([(rest[0].start, rest[-1].end)] if rest else [])]
        chosen = {
            index
            for start, end in reaches
            for index in range(bisect_left(starts, start - longest), bisect_left(starts, end))
        }
        return [ordered[index] for index in sorted(chosen)]

    return touching


def sentence_spans(text: str, doc: Doc) -> list[Span]:
    """Character ranges of the sentences of a ``Doc``, blanks around them left out."""
    spans = []
    for sentence in doc.sents:
        surface = text[sentence.start_char : sentence.end_char]
        if surface.strip():
            start = sentence.start_char + len(surface) - len(surface.lstrip())
            spans.append((start, start + len(surface.strip())))
    return spans


def name_spans(text: str, window: Window, tags: NDArray[np.float32]) -> list[NameSpan]:
    """Decode tag probabilities (tokens, 7) of the window's own sentences into names, whole words each.

    Names share no text: where the pieces of one word were tagged apart, the most probable reading stands.
    """
    found: list[NameSpan] = []
    for unit in window.units:
        if not unit.owned:
            continue
        open_from, label = -1, -1
        for index in range(unit.first_token, unit.last_token + 1):
            best, begins = -1, False
            if index < unit.last_token and 1 - tags[index, 0] >= NAME_THRESHOLD:
                each = tags[index, 1::2] + tags[index, 2::2]
                best = int(each.argmax())
                begins = bool(tags[index, 1 + 2 * best] > tags[index, 2 + 2 * best])
                inside_word = index > unit.first_token and window.starts[index] <= window.ends[index - 1]
                begins = begins and not (inside_word and label == best)
            if open_from >= 0 and (best != label or begins):
                found.append(_name(text, window, tags, open_from, index, label))
                open_from = -1
            if best >= 0 and open_from < 0:
                open_from, label = index, best
    return _without_overlap(found)


def _name(text: str, window: Window, tags: NDArray[np.float32], first: int, last: int, label: int) -> NameSpan:
    start, end = int(window.starts[first]), int(window.ends[last - 1])
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    columns = tags[first:last, 1 + 2 * label] + tags[first:last, 2 + 2 * label]
    return NameSpan(start, end, LABELS[label], round(float(columns.mean()), 4), "classifier")


def _without_overlap(names: Sequence[NameSpan]) -> list[NameSpan]:
    kept: list[NameSpan] = []
    for name in sorted(names, key=lambda n: (-n.probability, n.start)):
        if all(name.end <= other.start or other.end <= name.start for other in kept):
            kept.append(name)
    return sorted(kept, key=lambda n: n.start)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True), np.float32)
