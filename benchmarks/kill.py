"""Kill a run with -9 at random moments, run it again, and compare its tables with those of an undisturbed run.

    python benchmarks/kill.py [PATH...] [--kills 10] [--workers 2] [--prefect] [--seed 1]

In: what ``roadwire run`` reads (the samples by default). Out: a line for each kill, and exit code 1 where a table
differs, a reader met an unfinished file, or a process outlived the run that was killed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
#: Small units of work, so that a kill meets a run in the middle of many of them.
SETTINGS = "[running]\nshard_size = 2\n"
BATCH = "killed"
#: Workers end within moments of their parent; Prefect's server takes some seconds to close.
LEFTOVER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Kill:
    """What came of one kill."""

    after: float  # seconds
    finished_before: bool
    published: bool  # tables were there when the run had been killed
    leftovers: bool
    equal: bool

    def __str__(self) -> str:
        state = "finished before" if self.finished_before else "published" if self.published else "nothing published"
        left = ", PROCESSES LEFT" if self.leftovers else ""
        return f"after {self.after:5.1f} s: {state}{left}; run again: {'equal' if self.equal else 'DIFFERENT'}"

    @property
    def good(self) -> bool:
        return self.equal and not self.leftovers


def command(paths: Sequence[str], out: Path, settings: Path, workers: int, prefect: bool) -> list[str]:
    """The command line of one run."""
    call = [sys.executable, "-m", "pipeline.cli", "run", *paths, "--out", str(out), "--batch", BATCH]
    return [
        *call, "--settings", str(settings), "--workers", str(workers), "--quiet", *([] if prefect else ["--no-prefect"])
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """This one, with the project importable from anywhere."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def contents(out: Path) -> dict[str, bytes]:
    """Every file that a reader could see, with its bytes."""
    paths = [path for path in sorted(out.rglob("*")) if path.is_file() and ".roadwire" not in path.parts]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def finish(call: Sequence[str]) -> float:
    """Run to the end; the seconds it took."""
    begun = time.monotonic()
    subprocess.run(call, check=True, env=environment(), cwd=ROOT)
    return time.monotonic() - begun


def kill_and_finish(call: Sequence[str], out: Path, after: float, expected: dict[str, bytes]) -> Kill:
    """Kill a run after so many seconds, look at what it left, and run it again."""
    process = subprocess.Popen(call, env=environment(), cwd=ROOT, start_new_session=True)
    try:
        process.wait(after)
        finished = True
    except subprocess.TimeoutExpired:
        finished = False
    process.send_signal(signal.SIGKILL)
    process.wait()
    leftovers = _outlived(process.pid)
    visible = contents(out)
    for name in visible:
        if name.endswith(".parquet"):
            pq.read_table(out / name)  # raises where a reader would have met half a file
    finish(call)
    return Kill(after, finished, bool(visible), leftovers, contents(out) == expected)


def _outlived(group: int) -> bool:
    """Whether a process of this group is still there after a while; then it is ended."""
    for _ in range(LEFTOVER_SECONDS * 10):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", default=[str(ROOT / "corpora" / "samples")])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--prefect", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    moments = random.Random(told.seed)
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "settings.toml"
        settings.write_text(SETTINGS)
        paths = [str(Path(path).absolute()) for path in told.paths]
        undisturbed = Path(folder) / "undisturbed"
        seconds = finish(command(paths, undisturbed, settings, told.workers, told.prefect))
        expected = contents(undisturbed)
        print(f"undisturbed: {seconds:.1f} s, {len(expected)} files", flush=True)
        kills: list[Kill] = []
        while len(kills) < told.kills:
            with tempfile.TemporaryDirectory(dir=folder) as out:
                call = command(paths, Path(out), settings, told.workers, told.prefect)
                kill = kill_and_finish(call, Path(out), moments.uniform(0.05, 1.0) * seconds, expected)
            if kill.finished_before:  # this run was faster than the first one: draw again, below its time
                seconds = min(seconds, kill.after)
                continue
            kills.append(kill)
            print(f"{len(kills):2}. {kill}", flush=True)
    good = sum(kill.good for kill in kills)
    print(f"{good} of {len(kills)} as undisturbed")
    return 0 if good == len(kills) else 1


if __name__ == "__main__":
    sys.exit(main())
