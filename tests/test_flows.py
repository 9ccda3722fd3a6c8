"""The Prefect flow: real runs against Prefect's own server on the loopback interface, and kills with -9."""

from __future__ import annotations

import importlib.util
import inspect
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from batch_factories import VERSIONS, document

from pipeline import settings, shards, workers
from pipeline.shards import Order, Shard

ROOT = Path(__file__).parents[1]


def load_benchmark(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


kill = load_benchmark("kill")
SAMPLES = [str(ROOT / "corpora" / "samples")]


# The flow as it is declared


@pytest.fixture(scope="module")
def flows() -> types.ModuleType:
    import flows

    return flows


def test_prefect_keeps_no_result_and_no_cache(flows: types.ModuleType) -> None:
    from prefect.cache_policies import NO_CACHE

    assert flows.extract_shard.cache_policy == NO_CACHE
    assert flows.extract_shard.persist_result is False
    assert flows.run.persist_result is False


def test_nothing_is_reported_to_anybody(flows: types.ModuleType) -> None:
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["DO_NOT_TRACK"] == "1"


def test_the_flow_takes_plain_values_that_a_deployment_can_store(flows: types.ModuleType) -> None:
    parameters = inspect.signature(flows.run.fn).parameters.values()
    assert {str(parameter.annotation) for parameter in parameters} == {"list[str]", "str", "str | None", "int"}


class Inline:
    """A task runner that works at once, and counts how many results nobody has asked for yet."""

    most_waiting = 0

    def __init__(self, **_: object) -> None:
        self.waiting = 0

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, task: object, parameters: dict[str, Path]) -> Done:
        self.waiting += 1
        Inline.most_waiting = max(Inline.most_waiting, self.waiting)
        return Done(self, parameters["shard"])


class Done:
    """A future whose result may be asked for only after it was waited for."""

    def __init__(self, runner: Inline, path: Path) -> None:
        self.runner, self.path, self.waited = runner, path, False

    def wait(self) -> None:
        self.waited = True

    def result(self) -> Path:
        assert self.waited
        self.runner.waiting -= 1
        return self.path


@pytest.mark.parametrize("n_workers", [1, 3])
def test_shards_are_submitted_in_a_sliding_window_and_all_come_back(
    flows: types.ModuleType, monkeypatch: pytest.MonkeyPatch, n_workers: int
) -> None:
    monkeypatch.setattr(flows, "ProcessPoolTaskRunner", Inline)
    monkeypatch.setattr(Inline, "most_waiting", 0)
    pending = [Shard(Path(f"{n}.arrow"), 1) for n in range(20)]
    order = Order("b", settings.load(), VERSIONS)
    assert list(flows.execute(pending, order, n_workers)) == pending
    assert Inline.most_waiting == flows.WAITING * n_workers


def test_a_worker_that_dies_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order("b", settings.load(), VERSIONS)
    pending = shards.stage([document()], tmp_path, order)
    monkeypatch.setattr(workers, "process", os._exit)  # a path is no exit code, so the pool's worker breaks
    monkeypatch.setattr(workers, "prepare_process", _die)
    with pytest.raises(workers.WorkerError, match=r"one of 2 worker processes died.*run the same command again"):
        list(workers.in_processes(pending, order, 2))


def _die(order: Order) -> None:
    os._exit(9)


# Whole runs


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], float]:
    """A run without Prefect in one process: its settings file, its files, and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    chosen = folder / "settings.toml"
    chosen.write_text(kill.SETTINGS)
    seconds = kill.finish(kill.command(SAMPLES, folder / "out", chosen, workers=1, prefect=False))
    return chosen, kill.contents(folder / "out"), seconds


@pytest.mark.slow
def test_the_samples_give_rows_in_every_table(undisturbed: tuple[Path, dict[str, bytes], float]) -> None:
    _, files, _ = undisturbed
    assert len(files) == 8
    assert all(files.values())


@pytest.mark.slow
@pytest.mark.parametrize(("n_workers", "prefect"), [(2, False), (2, True)])
def test_the_tables_are_the_same_bytes_whoever_works(
    undisturbed: tuple[Path, dict[str, bytes], float], tmp_path: Path, n_workers: int, prefect: bool
) -> None:
    chosen, expected, _ = undisturbed
    kill.finish(kill.command(SAMPLES, tmp_path, chosen, n_workers, prefect))
    assert kill.contents(tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.35, 0.6, 0.85])
def test_a_run_killed_and_run_again_equals_an_undisturbed_one(
    undisturbed: tuple[Path, dict[str, bytes], float], tmp_path: Path, moment: float
) -> None:
    chosen, expected, seconds = undisturbed
    call = kill.command(SAMPLES, tmp_path, chosen, workers=2, prefect=False)
    outcome = kill.kill_and_finish(call, tmp_path, moment * seconds, expected)
    assert outcome.good, str(outcome)


@pytest.mark.slow
def test_prefect_and_its_server_end_with_a_run_that_is_killed(
    undisturbed: tuple[Path, dict[str, bytes], float], tmp_path: Path
) -> None:
    chosen, _, _ = undisturbed
    process = subprocess.Popen(
        kill.command(SAMPLES, tmp_path, chosen, workers=1, prefect=True),
        env=kill.environment(), cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    while not (tmp_path / ".roadwire").exists():  # then the server is up and the run has begun
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    assert not kill._outlived(process.pid)


@pytest.mark.slow
def test_ctrl_c_ends_every_process_at_once_and_says_what_to_do(
    undisturbed: tuple[Path, dict[str, bytes], float], tmp_path: Path
) -> None:
    chosen, _, _ = undisturbed
    process = subprocess.Popen(
        [*kill.command(SAMPLES, tmp_path, chosen, workers=2, prefect=False)],
        env=kill.environment(), cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(tmp_path.glob(".roadwire/*/*.arrow")):
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; the same command goes on from there" in told
    assert not kill._outlived(process.pid)
