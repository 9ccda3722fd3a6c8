"""Articles a second and peak memory of whole runs, with one worker and with several.

    python benchmarks/throughput.py PATH... [--workers 1 2] [--prefect]

In: what ``roadwire run`` reads. Out: a table of runs: items, articles, rows, seconds, articles a second, rows a
second, the ratio to the first run, and the highest memory of the largest process and of all of them together.
Every item is accounted for, or the run would have failed; the figures stand beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Memory:
    """Highest resident memory seen, in bytes, of one process and of all processes of a run."""

    one: int = 0
    all: int = 0

    def look(self, group: int) -> None:
        """Read the resident memory of every process of a group (Linux)."""
        sizes = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.getpgid(int(entry.name)) == group:
                    sizes.append(int((entry / "statm").read_text().split()[1]) * _PAGE)
            except (OSError, IndexError):
                continue  # it has just ended
        self.one = max([self.one, *sizes])
        self.all = max(self.all, sum(sizes))


def measure(paths: list[str], workers: int, prefect: bool) -> tuple[dict[str, object], float, Memory]:
    """One whole run into a fresh folder: what it told, how long it took, and its memory."""
    with tempfile.TemporaryDirectory() as out:
        call = [sys.executable, "-m", "pipeline.cli", "run", *paths, "--out", out, "--workers", str(workers), "--json"]
        begun = time.monotonic()
        process = subprocess.Popen(
            [*call, *([] if prefect else ["--no-prefect"])],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )  # fmt: skip
        memory, ended = Memory(), threading.Event()

        def watch() -> None:
            while not ended.wait(0.2):
                memory.look(process.pid)

        watcher = threading.Thread(target=watch)
        watcher.start()
        told, _ = process.communicate()
        seconds = time.monotonic() - begun
        ended.set()
        watcher.join()
        if process.returncode not in (0, 3):
            sys.exit(process.returncode)
        return json.loads(told), seconds, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--prefect", action="store_true")
    chosen = parser.parse_args()
    paths = [str(Path(path).absolute()) for path in chosen.paths]
    first = None
    print("workers |  items | articles | rejects |    rows |     s | articles/s | rows/s | ratio | MB one | MB all")
    for workers in chosen.workers:
        told, seconds, memory = measure(paths, workers, chosen.prefect)
        rows = sum(told["rows"].values())  # type: ignore[attr-defined]
        rejects = sum(told["rejects"].values())  # type: ignore[attr-defined]
        rate = told["articles"] / seconds  # type: ignore[operator]
        first = first or rate
        print(
            f"{workers:7} | {told['items']:6} | {told['articles']:8} | {rejects:7} | {rows:7} | {seconds:5.0f} |"
            f" {rate:10.1f} | {rows / seconds:6.0f} | {rate / first:5.2f} | {memory.one / 1e6:6.0f} |"
            f" {memory.all / 1e6:6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
