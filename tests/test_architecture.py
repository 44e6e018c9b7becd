"""The floors of the package hold: who may import whom, what starts without torch, and how code is kept readable."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
MODULES = sorted((PROJECT / "spotter").rglob("*.py"))
SCRIPTS = [PROJECT / "train.py", PROJECT / "predict.py"]
TESTS = sorted((PROJECT / "tests").rglob("*.py"))

GROUND = {"", "bounded", "checks", "errors", "interpolation", "progress", "settings", "tasks", "trust", "types"}
BELOW = {
    "io": set(),
    "data": {"io"},
    "models": {"io", "data"},
    "predictions": {"io"},
    "inference": {"io", "predictions", "data", "models"},
    "evaluation": {"io", "predictions"},  # not inference: it scores files, whoever wrote them
    "extraction": {"io", "data", "models", "inference"},
    "simulation": {"io", "data", "inference", "evaluation"},
    "training": {"io", "predictions", "data", "models", "inference", "extraction", "evaluation", "simulation"},
    "cli": {"io", "predictions", "data", "models", "inference", "extraction", "evaluation", "simulation", "training"},
    "__main__": {"cli"},
}
BELOW[""] = set(BELOW)  # the front door
TORCH = {"data", "models", "training"}  # rooms that may import it anywhere
TORCH_FILES = {
    "spotter.extraction.backbones",
    "spotter.extraction.frames",
    "spotter.extraction.sn_spotting",
    "spotter.extraction.two_stages",
    "spotter.io.checkpoints",
    "spotter.io.weights",
    "spotter.inference.engine",
    "spotter.inference.inputs",
    "spotter.inference.model",
    "spotter.inference.precision",
    "spotter.inference.ranks",
}
SNIFF = {  # files that may ask what an object of another library has
    "spotter.models.blocks.backbones",
    "spotter.models.blocks.fuse",
}
LIGHTNING = {"pytorch_lightning", "lightning", "hydra", "omegaconf"}


def name_of(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the room of a module of spotter: its package, its own name on the ground, or "" for the root."""
    return [*module.split("."), ""][1]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file names in an import, anywhere in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides which room it comes from"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_rooms_import_only_what_they_stand_on(path: Path) -> None:
    room = room_of(name_of(path))
    assert room in GROUND or room in BELOW, f"{room} is a new room: say in this test on what it stands"
    allowed = GROUND | BELOW.get(room, set()) | ({room} - GROUND)
    for imported in imports(path):
        if imported.partition(".")[0] == "spotter":
            assert room_of(imported) in allowed, f"{path.relative_to(PROJECT)} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_training_and_commands_know_lightning_and_hydra(path: Path) -> None:
    room = room_of(name_of(path))
    foreign = {imported.partition(".")[0] for imported in imports(path)}
    assert room in {"training", "cli"} or not foreign & LIGHTNING
    assert room in TORCH or name_of(path) in TORCH_FILES or not foreign & {"torch", "timm"} or path.name == "types.py"


def functions(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Yield public functions and methods, with those that operators and calls reach."""
    for child in node.body:
        if not child_name(child).startswith("_") or child_name(child).startswith("__"):
            if isinstance(child, ast.FunctionDef):
                yield child
            elif isinstance(child, ast.ClassDef):
                yield from functions(child)


def child_name(node: ast.stmt) -> str:
    return node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else ""


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_passes_between_rooms_has_a_type(path: Path) -> None:
    """No public function takes or returns just anything, and none asks what an object of ours happens to have."""
    for function in functions(parsed(path)):
        given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        for annotation in (*(each.annotation for each in given), function.returns):
            parts = ast.unparse(annotation).split(" | ") if annotation else []
            assert not {"Any", "Callable[..., Any]"} & set(parts), f"{name_of(path)}.{function.name}: say which type"
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and name_of(path) not in SNIFF:
            sniffs = node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) > 2)
            assert not sniffs, f"{path.relative_to(PROJECT)}:{node.lineno}: write down what the object offers"


def test_no_module_imports_itself_in_a_circle() -> None:
    """Also not through imports that stand inside of functions; the front door only names what it imports when used."""
    ours = {name_of(path) for path in MODULES}
    graph = {name_of(path): {name for name in imports(path) if name in ours} for path in MODULES}
    for name, needs in graph.items():  # "from spotter.cli import aliases" needs the module, not its package
        graph[name] = {each for each in needs if not any(other.startswith(f"{each}.") for other in needs)}
    del graph["spotter"]
    while leaves := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in leaves}
    assert not graph, f"modules of a circle, or that import one: {sorted(graph)}"


def test_scoring_and_suppression_start_without_torch() -> None:
    rooms = {"io", "evaluation"}
    light = [name_of(path) for path in MODULES if room_of(name_of(path)) in rooms and name_of(path) not in TORCH_FILES]
    light += ["spotter.inference.decode", "spotter.inference.fuse", "spotter.inference.tune", "spotter.inference.runs"]
    light += [
        "spotter.predictions",
        "spotter.cli",
        "spotter.cli.evaluate",
        "spotter.cli.report",
        "spotter.cli.tune",
        "spotter.cli.fuse",
        "spotter.cli.import_checkpoint",
    ]
    code = "\n".join(
        [
            "import importlib, sys",
            f"for name in {light}:",
            "    importlib.import_module(name)",
            "    assert not {'torch', 'pytorch_lightning', 'hydra'} & set(sys.modules), name",
        ]
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=PROJECT)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=lambda path: path.name)
def test_nothing_prints(path: Path) -> None:
    calls = (node.func for node in ast.walk(parsed(path)) if isinstance(node, ast.Call))
    assert not [call.lineno for call in calls if isinstance(call, ast.Name) and call.id == "print"]


def test_files_are_short() -> None:
    longest = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES + TESTS}
    assert {str(path): lines for path, lines in longest.items() if lines > 300} == {}
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 40 for path in SCRIPTS)


def bare(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
    """Yield the public classes, functions and methods that say nothing of themselves."""
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
            if ast.get_docstring(child) is None:
                yield f"{prefix}.{child.name}"
            if isinstance(child, ast.ClassDef):
                yield from bare(child, f"{prefix}.{child.name}")


def test_every_public_name_says_what_it_is() -> None:
    modules = [path for path in MODULES if parsed(path).body]
    assert [name_of(path) for path in modules if ast.get_docstring(parsed(path)) is None] == []
    assert [name for path in modules for name in bare(parsed(path), name_of(path))] == []
