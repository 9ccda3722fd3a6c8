"""How good a run is on annotated articles, with how sure that is.

In: annotation records with their texts. Out: an ``Evaluation``: F1, precision and recall or shares, each with a 95 %
interval, in all, by deal type, by source and by tag. The run is the product's own ``run_batch``. Intervals are
percentiles of a bootstrap over articles, since the items of one article are not independent; the draws are seeded, so
the same rows give the same interval. It judges no figure (``pipeline.floors`` does).
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.records import Article
from pipeline.run import Models, load_models, run_batch
from pipeline.scoring import F1_FIGURES, NOT_COMPANIES, SHARES, ArticleRows, ArticleScore, CountKey, score_article
from pipeline.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

#: Draws of the bootstrap: with 1,000 the ends of an interval move by some .003 from seed to seed.
DRAWS = 1000
SEED = 0

_TABLES = {"companies": "companies", "levels": "autonomy_levels", "locations": "locations", "deals": "deals"}


@dataclass(frozen=True, slots=True)
class Figure:
    """``value``: an F1 or a share, None where there was nothing to measure; ``low`` to ``high`` hold 95 % of the draws.

    ``items``: annotated items, or cases of a share. ``found`` and ``right``: reported items and right ones.
    """

    value: float | None
    low: float | None
    high: float | None
    items: int
    right: int
    found: int | None = None  # of an F1 alone
    precision: float | None = None
    recall: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``missing``: ids of articles that the run left out. A group has the number of its articles and its figures."""

    articles: int
    missing: list[str]
    figures: dict[str, Figure]
    deals_by_type: dict[str, Figure]
    by_source: dict[str, tuple[int, dict[str, Figure]]]
    by_tag: dict[str, tuple[int, dict[str, Figure]]]
    errors: list[tuple[str, str]]

    def as_json(self) -> dict[str, Any]:
        """Plain dicts and lists, without the errors."""
        told = dataclasses.asdict(self)
        del told["errors"]
        for groups in (told["by_source"], told["by_tag"]):
            groups.update({name: {"articles": size, **figures} for name, (size, figures) in groups.items()})
        return told


def measure(records: Sequence[dict[str, Any]], settings: Settings, models: Models | None = None) -> Evaluation:
    """Run the pipeline over the records' texts and compare its rows with the annotations."""
    articles = [
        Article(source_uri=f"{record['id']}.txt", text=record["text"], published=record.get("published"))
        for record in records
    ]
    return compare(records, run_batch(articles, "evaluation", settings, models or load_models(settings)))


def compare(records: Sequence[dict[str, Any]], tables: Mapping[str, pa.Table]) -> Evaluation:
    """Compare the tables of a run, in which record ID was read from a file ID.*, with the annotations."""
    rows = rows_by_record(tables)
    scores = [score_article(record, rows.get(record["id"], ArticleRows())) for record in records]
    by_source: dict[str, list[ArticleScore]] = defaultdict(list)
    by_tag: dict[str, list[ArticleScore]] = defaultdict(list)
    for record, score in zip(records, scores, strict=True):
        source = record.get("source")
        if source:
            by_source[Path(source["file"]).name.split(".")[0] if isinstance(source, dict) else source].append(score)
        for tag in dict.fromkeys(record.get("tags") or ()):
            by_tag[tag].append(score)
    return Evaluation(
        articles=len(records),
        missing=[record["id"] for record in records if record["id"] not in rows],
        figures=figures_of(scores),
        deals_by_type=_deals_by_type(scores),
        by_source={name: (len(own), figures_of(own)) for name, own in sorted(by_source.items())},
        by_tag={name: (len(own), figures_of(own)) for name, own in sorted(by_tag.items())},
        errors=[error for score in scores for error in score.errors],
    )


def rows_by_record(tables: Mapping[str, pa.Table]) -> dict[str, ArticleRows]:
    """The rows of each article under the stem of the file that it was read from."""
    columns = tables["articles"].select(["article_id", "source_uri"]).to_pylist()
    stems = {row["article_id"]: Path(row["source_uri"].split("#")[0]).stem for row in columns}
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {stem: {name: [] for name in _TABLES} for stem in stems.values()}
    for name, table in _TABLES.items():
        for row in tables[table].to_pylist():
            rows[stems[row["article_id"]]][name].append(row)
    return {stem: ArticleRows(**own) for stem, own in rows.items()}


def figures_of(scores: Sequence[ArticleScore]) -> dict[str, Figure]:
    """All figures of some articles together."""
    sums = _Sums(scores)
    return {
        **{name: sums.f1(name) for name in F1_FIGURES},
        **{name: sums.share(name) for name in (*SHARES, NOT_COMPANIES)},
    }


def _deals_by_type(scores: Sequence[ArticleScore]) -> dict[str, Figure]:
    sums = _Sums(scores)
    names = sorted({figure for score in scores for figure, _ in score.counts if figure.startswith("deals of ")})
    return {name.removeprefix("deals of "): sums.f1(name) for name in names}


class _Sums:
    """Counts summed over the articles once as they are, and once for each draw of as many articles with replacement."""

    def __init__(self, scores: Sequence[ArticleScore]) -> None:
        keys: list[CountKey] = sorted({key for score in scores for key in score.counts})
        counts = np.array([[score.counts[key] for key in keys] for score in scores], dtype=float)
        size = len(scores)
        draws = np.random.default_rng(SEED).multinomial(size, [1 / size] * size, DRAWS) if size else np.zeros((1, 0))
        weights = np.vstack([np.ones(size), draws])  # the first row is the set itself
        self._sums = dict(zip(keys, (weights @ counts.reshape(size, len(keys))).T, strict=True))
        self._none = np.zeros(len(weights))

    def _of(self, figure: str, *names: str) -> list[np.ndarray]:
        return [self._sums.get((figure, name), self._none) for name in names]

    def f1(self, figure: str) -> Figure:
        right, found, wanted = self._of(figure, "tp", "pred", "gold")
        # Where nothing was reported or wanted, precision and recall are what score.py of the project says.
        precision = np.where(found > 0, right / np.maximum(found, 1), wanted == 0)
        recall = np.where(wanted > 0, right / np.maximum(wanted, 1), 1.0)
        both = precision + recall
        value = np.where(both > 0, 2 * precision * recall / np.where(both > 0, both, 1), 0.0)
        return Figure(
            *_interval(value),
            items=int(wanted[0]),
            right=int(right[0]),
            found=int(found[0]),
            precision=float(precision[0]),
            recall=float(recall[0]),
        )

    def share(self, figure: str) -> Figure:
        right, cases = self._of(figure, "ok", "n")
        with np.errstate(invalid="ignore"):
            value = np.where(cases > 0, right / np.maximum(cases, 1), np.nan)
        return Figure(*_interval(value), items=int(cases[0]), right=int(right[0]))


def _interval(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """The first value, and the ends of the middle 95 % of the others that could be measured."""
    drawn = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(drawn):
        return (None if np.isnan(values[0]) else float(values[0])), None, None
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(values[0]), float(low), float(high)


def table(evaluation: Evaluation, group_size: int = 10) -> str:
    """The figures as people read them; groups of fewer than ``group_size`` articles are left to the JSON."""
    lines = [_line(name, figure) for name, figure in evaluation.figures.items()]
    lines += ["", "deals by type"]
    lines += [_line(name, figure) for name, figure in evaluation.deals_by_type.items()]
    for title, groups in (("source", evaluation.by_source), ("tag", evaluation.by_tag)):
        large = {name: group for name, group in groups.items() if group[0] >= group_size}
        if large:
            lines += ["", f"{'by ' + title:24s}articles" + "".join(f"{name:>15s}" for name in _GROUP_FIGURES)]
            for name, (size, figures) in large.items():
                shown = "".join(f"{_number(figures[figure].value):>15s}" for figure in _GROUP_FIGURES)
                lines.append(f"{name[:30]:30s}{size:2d}{shown}")
    lines += ["", f"articles {evaluation.articles}, left out by the run {len(evaluation.missing)}"]
    return "\n".join(lines) + "\n"


_GROUP_FIGURES = ("companies", "levels_company", "locations", "deals_typed", "deals_strict", "status")


def _line(name: str, figure: Figure) -> str:
    line = f"{name:24s}{_number(figure.value)}  [{_number(figure.low)} {_number(figure.high)}]"
    if figure.precision is not None:
        line += f"  p {_number(figure.precision)}  r {_number(figure.recall)}  found {figure.found}"
    return f"{line}  right {figure.right} of {figure.items}"


def _number(value: float | None) -> str:
    return "    -" if value is None else f"{value:.3f}"
