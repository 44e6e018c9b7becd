"""Folders of runs from somebody else: what lies in them does not run, whatever it is called and whoever names it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from spotter.cli.resume import resume
from spotter.cli.stored_overrides import check_values
from spotter.errors import UsageError, UserError
from spotter.training.run import Run
from tests.conftest import PROJECT, call, environment

EVIL = "import pathlib\npathlib.Path(__file__).with_name('pwned').touch()\nclass Network: pass\n"
PROBED = ("tensorflow", "tabulate", "opt_einsum", "defusedxml", "onnx", "sklearn", "antigravity", "yaml", "numpy")


@pytest.fixture
def downloaded(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of a run, with modules in it that would be found if its folder were searched."""
    run = tmp_path / "downloaded"
    shutil.copytree(trained, run)
    for name in (*PROBED, "evil", "sitecustomize", "checkpoints/evil"):
        (run / f"{name}.py").write_text(EVIL)
    (run / "spotter" / "models").mkdir(parents=True)
    (run / "spotter" / "models" / "evil.py").write_text(EVIL)
    return run


def ran(folder: Path) -> list[Path]:
    """Return what the modules of the folder have left."""
    return sorted(folder.rglob("pwned"))


def store(run: Path, *words: str) -> str:
    """Let the run's folder say that it was started with some more words; return the word that goes on with it."""
    path = run / ".hydra" / "overrides.yaml"
    path.write_text(yaml.safe_dump([*yaml.safe_load(path.read_text()), *words]))
    return f"ckpt={run}/checkpoints/last.ckpt"


@pytest.mark.slow
@pytest.mark.parametrize("command", [["predict.py"], ["-c", "from spotter.cli import main; main()", "predict"]])
def test_modules_in_the_current_folder_are_not_run(downloaded: Path, tree: Path, command: list[str]) -> None:
    """Packages look for others that may be there; in an unpacked run they would find what it brings."""
    if command[0] == "predict.py":
        command = [str(PROJECT / "predict.py")]
    words = [*command, "ckpt=checkpoints/best.ckpt", f"data.root={tree}", "trainer=cpu", "out=out"]
    safe = environment({"PYTHONPATH": str(PROJECT), "PYTHONSAFEPATH": "1"} if "-c" in command else {})
    done = subprocess.run(
        [sys.executable, *words], cwd=downloaded, capture_output=True, text=True, check=False, env=safe
    )
    assert done.returncode == 0, done.stderr
    assert (downloaded / "out" / "results_spotting.zip").is_file()
    assert ran(downloaded) == []


def test_python_m_spotter_does_not_search_the_current_folder(tmp_path: Path) -> None:
    """Although ``python -m`` puts it first."""
    for name in ("rich", "orjson", "yaml", "argparse"):
        (tmp_path / f"{name}.py").write_text(EVIL)
    command = [sys.executable, "-m", "spotter", "evaluate", "no", "no"]
    env = environment({"PYTHONPATH": str(PROJECT)})
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (1, "error: no: no such folder or zip\n")
    assert ran(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", ["network", "head"])
@pytest.mark.parametrize(
    "target",
    [
        "venv.__main__.Network", "antigravity.Network", "evil.Network", "checkpoints.evil.Network", "this.Network",
        "spotter.models.evil.Network", "spotter.models..evil.Network", "spotter.models.linear.nn.Linear",
        "spotter.models.build.importlib", "spotter.models.linear.nn", "spotter.cli.train.main", "spotter.__main__.sys",
        "idlelib.idle.Network", "spotter.models.a\0b.C", "spotter.models." + "x" * 5_000, ".", "", 3, None, ["a"],
        {"_target_": "os.system"},
    ],
    ids=lambda value: ascii(value)[:40],
)  # fmt: skip
def test_what_a_checkpoint_names_is_not_imported(downloaded: Path, part: str, target: Any) -> None:
    """Neither of Python's own modules that do something when they are imported, nor of the folder."""
    content = torch.load(downloaded / "checkpoints" / "best.ckpt", weights_only=True)
    content["hyper_parameters"][part]["_target_"] = target
    torch.save(content, downloaded / "bad.ckpt")
    before = set(sys.modules)
    called = call("predict.py", "ckpt=bad.ckpt", "trainer=cpu", cwd=downloaded)
    assert called.status == 1
    assert called.err.startswith("error: _target_")
    assert called.err.count("\n") == 1
    assert len(called.err) < 300
    assert not {"antigravity", "this", "evil", "idlelib.idle", "venv.__main__"} & (set(sys.modules) - before)
    assert ran(downloaded) == []


def test_a_module_is_run_only_where_the_user_trusts_it(downloaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how; in Python a run that was not trained here is no different."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    content = torch.load(downloaded / "checkpoints" / "best.ckpt", weights_only=True)
    content["hyper_parameters"]["network"]["_target_"] = "evil.Network"
    torch.save(content, downloaded / "checkpoints" / "best.ckpt")
    with pytest.raises(UserError, match="if you trust its module, give trust=evil"):
        Run(downloaded).load()
    assert ran(downloaded) == []
    called = call("predict.py", "ckpt=checkpoints/best.ckpt", "trainer=cpu", "trust=evil", cwd=downloaded)
    assert "is no torch.nn.Module" in called.err
    assert ran(downloaded) == [downloaded / "pwned"]
    sys.modules.pop("evil")


REFUSED = [
    "+callbacks.x._target_=evil.Network", "++callbacks.x._target_=evil.Network", "callbacks.ema._target_=os.system",
    "callbacks.ema={_target_: evil.Network}", "callbacks={x: {_target_: evil.X}}", "model.network._target_=evil.X",
    "model.network={_target_: evil.Network}", "data={_target_: evil.Network}", "data.source._target_=evil.Network",
    "trainer={_target_: evil.Network}", "trainer._target_=evil.Network", "trainer.plugins=[{_target_: evil.Network}]",
    "model.head={a: [{_target_: evil.Network}]}", "hydra.run.dir=/tmp/elsewhere", "hydra.output_subdir=../..",
    "hydra/launcher=joblib", "hydra.searchpath=[file:///tmp/evil]", "hydra.callbacks.x._target_=evil.Network",
    "hydra.job.chdir=true", "hydra.job.env_set.LD_PRELOAD=/tmp/evil.so", "hydra=default", "logger=wandb",
    "logger.csv.save_dir=/tmp/elsewhere", "logger.wandb.project=theirs", "logger={x: {_target_: evil.Network}}",
    "callbacks=other", "callbacks.best.dirpath=/tmp/elsewhere", "callbacks.history.path=/tmp/elsewhere",
    "callbacks.best.filename=../../x", "callbacks.ema.x.y=1", "callbacks.best.monitor='${oc.env:HOME}'",
    "run_dir=/tmp/elsewhere", "trainer.default_root_dir=/tmp/elsewhere", "trust=evil", "trust=[evil]",
    "model=../../../tmp/evil", "model=/tmp/evil", "experiment=../evil", "data@x=demo", "~callbacks.best", "~trainer",
    "seed=1,2", "seed=choice(1,2)", "seed=${oc.env:HOME}", "data.root=${oc.env:AWS_SECRET}", "seed=${now:%Y}",
    "model.lr=[1,{a: '${oc.env:HOME}'}]", "seed", "=", "a b=1", "", "-m", "--multirun", "--config-dir=/tmp", "$(x)=1",
    "sweep=grid", "a=" + "[" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("word", REFUSED, ids=lambda word: word[:50])
def test_nothing_but_values_is_taken_from_a_runs_folder(word: str, downloaded: Path, tmp_path: Path) -> None:
    """One line names it and what to do; the folder stays as it is, and what the user types again is taken."""
    with pytest.raises(UsageError, match="not taken from a file"):
        check_values([word], downloaded)
    ckpt = store(downloaded, word)
    with pytest.raises(UserError) as raised:
        resume([ckpt])
    assert len(str(raised.value)) < 400 + len(str(downloaded))
    assert ran(downloaded) == []


def test_training_does_not_go_on_with_code_of_the_folder(downloaded: Path, tmp_path: Path) -> None:
    """As a user would do it, from its folder."""
    before = {path for path in downloaded.rglob("*") if path.suffix != ".pyc"}
    ckpt = store(downloaded, "+callbacks.x._target_=evil.Network")
    called = call("train.py", ckpt, "trainer.max_epochs=3", cwd=downloaded)
    assert called.status == 2
    assert "overrides.yaml: not taken from a file: '+callbacks.x._target_=evil.Network'" in called.err
    assert called.err.count("\n") == 1
    assert {path for path in downloaded.rglob("*") if path.suffix != ".pyc"} == before


def test_values_are_taken_and_shown(downloaded: Path, caplog: pytest.LogCaptureFixture) -> None:
    words = ["callbacks.ema.decay=0.9", "callbacks.early_stopping=null", "callbacks.best.monitor=val/at_1", "data=demo"]
    words += ["logger=csv", "model.mixup={alpha: 1.0}", "data.splits.train=[a/b/c,'l/s/d']", "data.root='/tmp/\\${e}'"]
    ckpt = store(downloaded, *words)
    arguments = resume([ckpt])
    assert not set(words) - set(arguments)
    assert f"goes on with data.root='{yaml_root(downloaded)}'" in caplog.text
    assert "callbacks.ema.decay=0.9" in caplog.text
    again = store(downloaded, "+x=1", "logger=wandb")
    assert {"+x=1", "logger=none"} <= set(resume([again, "+x=1", "logger=none"]))


def yaml_root(run: Path) -> str:
    """Return the first override that the run stored, which is its root."""
    word = yaml.safe_load((run / ".hydra" / "overrides.yaml").read_text())[0]
    return str(word).removeprefix("data.root=").strip("'")


@pytest.mark.parametrize(
    "content",
    ["3", "{a: 1}", "[[a=1]]", "[1]", "a: &a [x]\nb: *a", "[", "!!python/object/apply:os.system [x]", "- a\n" * 2_000],
    ids=lambda text: text[:20],
)
def test_lists_of_overrides_that_are_none(content: str, downloaded: Path) -> None:
    (downloaded / ".hydra" / "overrides.yaml").write_text(content)
    with pytest.raises(UserError, match=r"overrides\.yaml: "):
        resume([f"ckpt={downloaded}/checkpoints/last.ckpt"])


@pytest.mark.parametrize("content", ["3", "hydra: 3", "hydra: {runtime: [1]}", "hydra: {runtime: {choices: 1}}", ""])
def test_what_hydra_noted_may_be_anything(content: str, downloaded: Path) -> None:
    (downloaded / ".hydra" / "hydra.yaml").write_text(content)
    assert resume([f"ckpt={downloaded}/checkpoints/last.ckpt", "seed=3"])[-1].startswith("ckpt=")


def test_configs_of_the_folder_are_not_composed(downloaded: Path) -> None:
    """A user's own are given again."""
    path = downloaded / ".hydra" / "hydra.yaml"
    stored = yaml.safe_load(path.read_text())
    stored["hydra"]["runtime"]["config_sources"] = [{"path": str(downloaded), "provider": "command-line"}]
    path.write_text(yaml.safe_dump(stored))
    ckpt = f"ckpt={downloaded}/checkpoints/last.ckpt"
    with pytest.raises(UsageError, match=r"was started with --config-dir .*, not taken from a file; give it again"):
        resume([ckpt])
    assert resume([ckpt, "--config-dir", "mine"])[:2] == ["--config-dir", "mine"]


def test_the_root_that_a_folder_names_is_text(downloaded: Path, tmp_path: Path) -> None:
    """No resolver runs for it, and no variable but a root is read."""
    (downloaded / ".hydra" / "config.yaml").write_text("data: {root: '${oc.env:SECRET}'}")
    env = {"SECRET": "not to be shown"}
    called = call("predict.py", f"ckpt={downloaded}/checkpoints/best.ckpt", "trainer=cpu", cwd=tmp_path, env=env)
    assert called.status == 1
    assert "not to be shown" not in called.err
    assert os.environ.get("SECRET") is None
