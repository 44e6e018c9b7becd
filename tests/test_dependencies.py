"""What spotter imports is what it declares: a fresh environment has it, or an extra is named that brings it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.conftest import PROJECT

DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = packages_distributions()
MODULES = sorted((PROJECT / "spotter").rglob("*.py"))


def name(requirement: str) -> str:
    """Return the name of a distribution, as package indexes compare them."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


CORE = {name(each) for each in DECLARED["dependencies"]}
OURS = ("dev", "docs")  # extras for those who work on spotter
EXTRAS = {
    name(each) for extra, given in DECLARED["optional-dependencies"].items() if extra not in OURS for each in given
}


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the distribution of every import of others' packages, and whether it is loaded with the module."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    guarded = (node for node in nodes if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef))
    later = {inner for outer in (*guarded, *functions) for inner in ast.walk(outer)}
    for node in nodes:
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        for package in {module.partition(".")[0] for module in modules} - {"spotter"} - sys.stdlib_module_names:
            found = DISTRIBUTIONS.get(package)
            yield name(found[0] if found else package), node not in later
        if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):  # import_module(f"kloppy.{…}")
            first = re.match(r"f?['\"](\w+)", ast.unparse(node.args[0]))
            if first and first[1] != "spotter":
                yield name(first[1]), False


def test_every_import_is_declared() -> None:
    """Also those inside of functions."""
    undeclared = {
        (str(path.relative_to(PROJECT)), package)
        for path in MODULES
        for package, _ in imported(path)
        if package not in CORE | EXTRAS
    }
    assert not undeclared


def test_what_is_declared_is_imported() -> None:
    """By the code, or named in conf/, which finds plugins of Hydra and of Lightning by themselves."""
    configs = " ".join(path.read_text(encoding="utf-8") for path in (PROJECT / "conf").rglob("*.yaml"))
    used = {package for path in MODULES for package, _ in imported(path)}
    plugins = {"hydra-optuna-sweeper": "optuna", "hydra-submitit-launcher": "slurm", "tensorboard": "TensorBoardLogger"}
    assert used >= CORE
    assert EXTRAS - used <= {package for package, word in plugins.items() if word in configs}


def test_extras_are_loaded_only_where_they_are_used() -> None:
    """A module that needs an extra is itself imported only inside of functions."""
    needs = {path for path in MODULES for package, at_once in imported(path) if at_once and package in EXTRAS - CORE}
    names = {".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in needs}
    for path in set(MODULES) - needs:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            module = node.module if isinstance(node, ast.ImportFrom) else None
            assert module not in names, f"{path.relative_to(PROJECT)} loads {module}, which needs an extra"


def test_imports_are_told_apart() -> None:
    """Else the tests above would say nothing."""
    assert ("pyyaml", True) in set(imported(PROJECT / "spotter" / "bounded.py")), "by the name of what is installed"
    assert ("plotly", False) in set(imported(PROJECT / "spotter" / "evaluation" / "report" / "page.py"))
