"""The registry of shipped models: what each file must be, checked when models are loaded.

    python -m pipeline.model_files      # write models/SHA256SUMS anew, after training

In: ``models/SHA256SUMS`` (as ``sha256sum`` writes it) and the files that it names. Out: nothing, or ``ModelError`` with
the first file that is missing or not the one that was shipped. A user's own models lie elsewhere and are not checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import models

ROOT = Path(next(iter(models.__path__)))
REGISTRY = "SHA256SUMS"
#: Files that explain or build a model, or that the interpreter leaves behind.
_NOT_LEARNT = frozenset({".py", ".pyc", ".md", ".toml"})


class ModelError(RuntimeError):
    """A model that cannot be loaded; the message says which and how to get it."""


def verify(root: Path = ROOT) -> None:
    """Compare every registered file with its digest (about 0.1 s). Raises ``ModelError`` with file and cause."""
    for line in _lines(root / REGISTRY):
        digest, _, name = line.partition("  ")
        path = root / name
        if not path.is_file():
            raise ModelError(f"{path}: missing; install roadwire anew")
        if _digest(path) != digest:
            raise ModelError(f"{path}: not the file that was shipped (its SHA-256 differs); install roadwire anew")


def write(root: Path = ROOT) -> int:
    """Register the files as they are; returns how many."""
    found = list(_learnt(root))
    lines = [f"{_digest(path)}  {path.relative_to(root).as_posix()}\n" for path in found]
    (root / REGISTRY).write_text("".join(lines), encoding="utf-8")
    return len(found)


def _learnt(root: Path) -> Iterator[Path]:
    paths = (path for path in sorted(root.rglob("*")) if path.is_file() and path.parent != root)
    return (path for path in paths if path.suffix not in _NOT_LEARNT)


def _lines(registry: Path) -> list[str]:
    try:
        return registry.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{registry}: cannot be read ({error}); install roadwire anew") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    print(f"{write()} files registered in {ROOT.name}/{REGISTRY}")
