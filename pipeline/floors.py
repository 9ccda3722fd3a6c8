"""Figures that a change must not fall below, kept in a file of their own.

In: an ``Evaluation`` and ``corpora/floors.json``. Out: the figures that lie below what was reached before, or the file
with what is reached now. A floor goes up by itself when figures are pinned; down it goes only where that is asked for
by name. It evaluates nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.evaluation import Evaluation, Figure
from pipeline.scoring import NOT_COMPANIES

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ROOT / "corpora" / "floors.json"


class FloorsError(ValueError):
    """The file of floors, or a use of it, makes no sense."""


@dataclass(frozen=True, slots=True)
class PinnedSet:
    """The floors of one set of articles. Paths are relative to the repository; ``sha256`` is that of ``gold``.

    ``not_companies_reported`` is a ceiling, all else are floors.
    """

    gold: str
    texts: str | None
    sha256: str
    floors: dict[str, float]


@dataclass(frozen=True, slots=True)
class Floors:
    """``tolerance``: how far a figure may stand below; on a small set one item, where that is more (``below``). Another
    processor sums 32-bit products in another order, and a row at its threshold may fall on the other side."""

    tolerance: float
    sets: dict[str, PinnedSet]  # by the path of their gold file


def read_floors(path: Path | None = None) -> Floors:
    """The pinned sets, by default those of this repository. Raises ``FloorsError`` for a file that is not of floors."""
    path = path or FLOORS
    if not path.exists():
        return Floors(tolerance=0.005, sets={})
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Floors(told["tolerance"], {own["gold"]: PinnedSet(**own) for own in told["sets"]})
    except (ValueError, KeyError, TypeError) as error:
        raise FloorsError(f"{path} is no file of floors: {error!r}") from error


def below(evaluation: Evaluation, pinned: PinnedSet, tolerance: float) -> list[str]:
    """The figures that lie more than ``tolerance``, or one item, on the wrong side of what is pinned, in words."""
    told = []
    for name, floor in pinned.floors.items():
        value, items = evaluation.figures[name].value, evaluation.figures[name].items
        slack = max(tolerance, 1 / items) if tolerance and items else tolerance
        if value is None:
            told.append(f"{name}: nothing to measure, pinned at {floor:.3f}")
        elif name == NOT_COMPANIES and value > floor + slack:
            told.append(f"{name}: {value:.3f} is above {floor:.3f}")
        elif name != NOT_COMPANIES and value < floor - slack:
            told.append(f"{name}: {value:.3f} is below {floor:.3f}")
    return told


def pin(
    evaluation: Evaluation, gold: Path, texts: Path | None, lower: bool = False, path: Path | None = None
) -> tuple[PinnedSet, list[str]]:
    """Write what ``evaluation`` reached on ``gold``, and say which floors stayed above it because ``lower`` is not set.

    Raises ``FloorsError`` where the set is not the one that was pinned and ``lower`` is not set.
    """
    path = path or FLOORS
    floors = read_floors(path)
    digest = digest_of(gold)
    # The same articles under another path, as in another checkout, are the set that was pinned.
    name = next((own.gold for own in floors.sets.values() if own.sha256 == digest), relative(gold))
    before = floors.sets.get(name)
    if before is not None and before.sha256 != digest and not lower:
        raise FloorsError(f"{name} is not the file that the floors were pinned on: --lower-floors starts them afresh")
    kept = dict(before.floors) if before is not None and not lower else {}
    reached = {name: _rounded(name, figure) for name, figure in evaluation.figures.items() if figure.value is not None}
    new = {name: _better(name, value, kept.get(name, value)) for name, value in reached.items()}
    stored = before.texts if before is not None else relative(texts) if texts else None
    pinned = PinnedSet(name, stored, digest, {**kept, **new})
    _write(Floors(floors.tolerance, {**floors.sets, name: pinned}), path)
    return pinned, below(evaluation, pinned, 0.0)


def relative(path: Path) -> str:
    """The path as the file of floors has it: from the repository's root, with slashes."""
    return Path(os.path.relpath(path.resolve(), ROOT)).as_posix()


def digest_of(gold: Path) -> str:
    return hashlib.sha256(gold.read_bytes()).hexdigest()


def _rounded(name: str, figure: Figure) -> float:
    """To three places, away from what is better, so that the same rows always pass."""
    thousandths = (figure.value or 0.0) * 1000
    return (math.ceil(thousandths) if name == NOT_COMPANIES else math.floor(thousandths)) / 1000


def _better(name: str, one: float, other: float) -> float:
    return min(one, other) if name == NOT_COMPANIES else max(one, other)


def _write(floors: Floors, path: Path) -> None:
    sets: list[Mapping[str, Any]] = [
        {"gold": own.gold, "texts": own.texts, "sha256": own.sha256, "floors": own.floors}
        for _, own in sorted(floors.sets.items())
    ]
    content = json.dumps({"tolerance": floors.tolerance, "sets": sets}, indent=1) + "\n"
    path.write_text(content, encoding="utf-8")
