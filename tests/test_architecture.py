"""Dependencies point one way, and what is heavy stays out of where it is not needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT)
    for path in [*ROOT.glob("*.py"), *(ROOT / "pipeline").rglob("*.py"), *(ROOT / "models").rglob("*.py")]
)
PIPELINE = [module for module in MODULES if module.parts[0] == "pipeline"]
#: The modules that put the steps in order. Whoever imports them is above the steps.
DRIVERS = {"pipeline.run", "pipeline.batches", "pipeline.workers", "pipeline.cli", "pipeline.explain"} | {
    "pipeline.cli_corpora", "pipeline.cli_review", "pipeline.evaluation", "pipeline.floors",
}  # fmt: skip


def imports(module: Path) -> Iterator[str]:
    """Every module that a module names in an import, also inside functions."""
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(module: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(module)}


def dotted(module: Path) -> str:
    return ".".join(module.with_suffix("").parts).removesuffix(".__init__")


def test_only_flows_imports_prefect() -> None:
    assert [str(module) for module in MODULES if "prefect" in packages(module)] == ["flows.py"]


@pytest.mark.parametrize("module", PIPELINE, ids=str)
def test_the_pipeline_runs_without_torch_and_training_code(module: Path) -> None:
    assert not packages(module) & {"torch", "onnx", "sklearn", "safetensors"}
    assert not {name for name in imports(module) if name.endswith((".train", ".evaluate"))}


@pytest.mark.parametrize("module", PIPELINE, ids=str)
def test_steps_do_not_know_who_calls_them(module: Path) -> None:
    if dotted(module) not in DRIVERS:
        assert not set(imports(module)) & DRIVERS


def test_only_the_command_knows_the_flow() -> None:
    assert [str(module) for module in PIPELINE if "flows" in packages(module)] == ["pipeline/cli.py"]


def test_records_import_nothing_of_ours() -> None:
    assert not packages(Path("pipeline/records.py")) & {"pipeline", "models", "corpora", "flows"}


@pytest.mark.parametrize("module", [*PIPELINE, Path("flows.py")], ids=str)
def test_a_module_says_what_it_does(module: Path) -> None:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree)


@pytest.mark.parametrize("module", [*PIPELINE, Path("flows.py")], ids=str)
def test_a_module_is_readable_in_one_go(module: Path) -> None:
    text = (ROOT / module).read_text(encoding="utf-8")
    assert text.count("\n") < 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 80, node.name


def test_no_global_extension_attributes_of_spacy() -> None:
    assert not [str(module) for module in MODULES if "set_extension(" in (ROOT / module).read_text(encoding="utf-8")]


def test_the_core_does_not_look_at_the_clock() -> None:
    """Rows depend on the input alone; only the command, which tells how long a run took, knows the time."""
    told = {"pipeline/cli.py", "pipeline/cli_sources.py"}
    for module in PIPELINE:
        text = (ROOT / module).read_text(encoding="utf-8")
        if str(module) not in told:
            assert not [call for call in ("time.time(", "datetime.now(", "date.today(", "utcnow(") if call in text]


def test_help_and_version_come_without_heavy_imports() -> None:
    heavy = ("spacy", "prefect", "pandas", "torch", "pyarrow", "numpy")
    program = f"import sys; import pipeline.cli; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]"


def test_the_lock_names_no_place() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert " @ " not in lock
    assert "torch" not in {line.split("==")[0] for line in lock.splitlines()}
