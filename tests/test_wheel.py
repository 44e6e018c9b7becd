"""The wheel, installed into a fresh environment and used in an empty folder, does all that a checkout does."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PROJECT, environment

pytestmark = pytest.mark.slow
API = """
import sys
import spotter
assert "site-packages" in spotter.__file__, spotter.__file__
model = spotter.load(sys.argv[1], device="cpu")
assert model.task.name == "soccernet-v2"
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command, which must succeed; return its standard output."""
    ran = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False, env=environment()
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel, built without a network from a copy of what git knows."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = run("git", "ls-files", "spotter", "conf", "pyproject.toml", "README.md", "LICENSE", cwd=PROJECT)
    for name in listed.splitlines():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, folder / "source" / name)
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "source"]
    run(sys.executable, "-m", "pip", *words, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return a function that runs a program of a fresh environment in an empty folder."""
    folder, empty = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("empty")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    libraries = [path for path in sys.path if path.endswith("site-packages")] or [sysconfig.get_path("purelib")]
    (packages / "libraries.pth").write_text("".join(f"{path}\n" for path in libraries), encoding="utf-8")
    words = ["install", "--quiet", "--no-deps", "--ignore-installed", wheel]
    run(folder / "bin" / "python", "-m", "pip", *words, cwd=empty)
    return lambda program, *words: run(folder / "bin" / program, *words, cwd=empty)


def test_all_of_conf_and_assets_travel(wheel: Path) -> None:
    """Every YAML file and asset of the repository is in the wheel."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"spotter/{path.relative_to(PROJECT)}" for path in (PROJECT / "conf").rglob("*.yaml")}
    assets = {str(path.relative_to(PROJECT)) for path in (PROJECT / "spotter" / "assets").rglob("*") if path.is_file()}
    assert {*configs, *assets, "spotter/py.typed"} <= inside
    assert not [name for name in inside if name.startswith(("tests/", "conf/"))]


def test_train_predict_and_evaluate_in_an_empty_folder(
    installed: Callable[..., str], tiny: list[str], tree: Path
) -> None:
    """No clone, no scripts: the commands, the module, and the API."""
    assert installed("spotter", "--version").strip() == f"spotter {__import__('spotter').__version__}"
    words = [*tiny, "trainer.max_epochs=1", "hydra.run.dir=run"]
    installed("spotter", "train", *words)
    ckpt = Path("run", "checkpoints", "best.ckpt")
    installed("spotter", "predict", f"ckpt={ckpt}", "trainer=cpu", "out=predicted")
    out = installed("python", "-m", "spotter", "evaluate", tree, "predicted")
    assert "tight" in out
    installed("python", "-c", API, ckpt)
