"""Settings: one TOML file, frozen dataclasses, no layers.

In: the path of a TOML file (or nothing, for the defaults in ``settings.toml`` beside this module).
Out: ``Settings``. A key or section that is not known is an error that names it and the nearest known one.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KINDS = {float: "a number", int: "a whole number", str: "a text"}
DEFAULTS = Path(__file__).with_name("settings.toml")


class SettingsError(ValueError):
    """A settings file that cannot be used; the message names file, section and key."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read and what is refused. Lengths in characters of cleaned text, sizes in bytes as stored."""

    min_chars: int
    max_chars: int
    max_bytes: int
    languages: tuple[str, ...]
    fields: dict[str, tuple[str, ...]]  # record field -> accepted names in JSON, CSV and parquet, first match wins


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """MinHash over word shingles; ``threshold`` is the estimated Jaccard similarity.

    ``shared_names``: share of the proper names and numbers of the text with fewer of them that the other must have.
    """

    shingle_words: int
    permutations: int
    threshold: float
    shared_names: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Lowest confidence at which a row, or a part of one, is written."""

    company: float
    location: float
    party: float  # of the other parties of a deal
    place: float  # of the places of a deal
    deal: dict[str, float]  # deal type -> probability


@dataclass(frozen=True, slots=True)
class Running:
    """``shard_size``: articles in one unit of work; ``batch_size``: windows in one pass of the encoder."""

    shard_size: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class Models:
    """``names``: folder or package of a spaCy pipeline with ``ner``; empty for the one that ships with roadwire."""

    names: str


@dataclass(frozen=True, slots=True)
class Settings:
    reading: Reading
    near_duplicates: NearDuplicates
    thresholds: Thresholds
    models: Models
    running: Running


def load(path: Path | str | None = None) -> Settings:
    """Read the defaults and, over them, the keys that the file at ``path`` states.

    Raises ``SettingsError`` for a missing file, bad TOML, an unknown section or key, or a value of the wrong
    type or out of its range.
    """
    values = _read(DEFAULTS)
    if path is not None:
        _lay_over(values, _read(Path(path)), str(path), "")
    source = str(path or DEFAULTS)
    settings = typing.cast(Settings, _build(Settings, values, source, ""))
    near = [(f"near_duplicates.{name}", values["near_duplicates"][name]) for name in ("threshold", "shared_names")]
    for name, value in [*near, *_thresholds(values)]:
        if not 0 <= value <= 1:
            raise SettingsError(f"{source}: {name} must lie between 0 and 1, not {value}")
    for name in ("shard_size", "batch_size"):
        if values["running"][name] < 1:
            raise SettingsError(f"{source}: running.{name} must be 1 or more, not {values['running'][name]}")
    return settings


def _thresholds(values: dict[str, Any]) -> list[tuple[str, float]]:
    stated = {k: v for k, v in values["thresholds"].items() if k != "deal"}
    stated |= {f"deal.{k}": v for k, v in values["thresholds"]["deal"].items()}
    return [(f"thresholds.{name}", value) for name, value in stated.items()]


def _lay_over(values: dict[str, Any], stated: dict[str, Any], source: str, where: str) -> None:
    for key, value in stated.items():
        name = f"{where}.{key}".lstrip(".")
        if key not in values:
            raise SettingsError(f"{source}: unknown {'key' if where else 'section'} {name}{_nearest(key, values)}")
        if not isinstance(values[key], dict):
            values[key] = value
        elif isinstance(value, dict):
            _lay_over(values[key], value, source, name)
        else:
            raise SettingsError(f"{source}: [{name}] must be a table")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML ({error})") from error


def _nearest(name: str, known: dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"


def _build(kind: Any, value: Any, source: str, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{k: _build(t, value[k], source, f"{where}.{k}".lstrip(".")) for k, t in hints.items()})  # type: ignore[operator]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(_build(arguments[0], item, source, where) for item in value)
    if origin is dict and isinstance(value, dict):
        return {k: _build(arguments[1], item, source, f"{where}.{k}") for k, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise SettingsError(f"{source}: {where} must be {_KINDS.get(kind, 'a list')}, not {value!r}")
