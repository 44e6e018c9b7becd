"""Paths as typed, whatever they hold, and a run's own overrides when it is resumed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from spotter.cli.overrides import PATHS, hydra_string, quote, unquote
from spotter.cli.resume import resume
from spotter.errors import UsageError

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
ODD = st.text(st.sampled_from(r"""'"\${}()[],=:~+ a/.1"""), min_size=1, max_size=12)


def through_hydra(override: str) -> str:
    """Return what a program gets for a text on the command line: parsed by Hydra, resolved by OmegaConf."""
    parsed = OverridesParser.create().parse_override(override)
    assert not parsed.is_sweep_override()
    return str(OmegaConf.create({"value": parsed.value()})["value"])


@given(TEXT | ODD)
@example("it's")
@example("a,b.npy")
@example("epoch=3.ckpt")
@example("${x}")
@example("\\")
@example("\\'")
@example("\\${x}")
@example("null")
def test_string_stands_for_exactly_this_text(text: str) -> None:
    """Whatever is typed comes out of Hydra's parser and OmegaConf unchanged."""
    assert through_hydra(f"key={hydra_string(text)}") == text
    assert unquote(hydra_string(text)) == text


@given(st.sampled_from(PATHS), TEXT | ODD)
def test_paths_are_quoted_once(key: str, text: str) -> None:
    """Quoting again, as started processes do, changes nothing."""
    once = quote(f"{key}={text}")
    assert quote(once) == once


@pytest.mark.parametrize(
    "argument",
    [
        "model=linear",
        "seed=1,2",
        "ckpt=null",
        "ckpt=",
        "ckpt='a b'",
        'out="x"',
        "--multirun",
        "trust=[a,b]",
        "data.splits.train=[a,b]",
    ],
)
def test_what_is_no_path_or_quoted_already_stays(argument: str) -> None:
    """Only values of paths are touched."""
    assert quote(argument) == argument


def run_folder(folder: Path, overrides: list[str]) -> str:
    """Write what a run leaves of its command line; return the path of its checkpoint."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides), encoding="utf-8")
    return str(folder / "checkpoints" / "last.ckpt")


def test_resuming_takes_the_runs_own_overrides(tmp_path: Path) -> None:
    """They come first; the command line wins; the folder is the run's; an earlier ``ckpt`` is forgotten."""
    ckpt = run_folder(tmp_path / "a run, it's", ["model=linear", "seed=3", "model.lr=1", "ckpt=old.ckpt"])
    arguments = resume([quote(f"ckpt={ckpt}"), "seed=4", "trainer=cpu"])
    assert arguments[:4] == ["model=linear", "model.lr=1", "seed=4", "trainer=cpu"]
    assert through_hydra(arguments[4].removeprefix("hydra.run.dir=").join(["x=", ""])) == str(tmp_path / "a run, it's")
    assert through_hydra(arguments[5]) == ckpt
    assert len(arguments) == 6
    assert resume(arguments) == arguments  # as started processes do


def test_resuming_asks_for_the_users_configs_again(tmp_path: Path) -> None:
    """The folder of ``--config-dir`` is not taken from a file."""
    ckpt = run_folder(tmp_path / "run", ["model=mine"])
    sources = [{"path": "/somewhere/conf", "provider": "main"}, {"path": "/my conf", "provider": "command-line"}]
    stored = {"hydra": {"runtime": {"choices": {"model": "mine"}, "config_sources": sources}}}
    (tmp_path / "run" / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump(stored), encoding="utf-8")
    with pytest.raises(UsageError, match=r"was started with --config-dir '/my conf', not taken from a file"):
        resume([f"ckpt={ckpt}"])
    assert resume([f"ckpt={ckpt}", "--config-dir", "other", "seed=2"])[:4] == [
        "--config-dir", "other", "model=mine", "seed=2",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="goes on as it began, model=mine"):
        resume([f"ckpt={ckpt}", "model=linear"])


def test_foreign_checkpoints_and_new_folders(tmp_path: Path) -> None:
    """A checkpoint outside a run brings no overrides; a folder that is typed wins."""
    assert resume(["seed=1", "ckpt=x.ckpt"]) == ["seed=1", "ckpt='x.ckpt'"]
    ckpt = run_folder(tmp_path / "run", ["seed=3"])
    arguments = resume([f"ckpt={ckpt}", "hydra.run.dir=new"])
    assert arguments == ["seed=3", "hydra.run.dir=new", f"ckpt='{ckpt}'"]
    assert resume(["seed=1"]) == ["seed=1"]


def test_last_is_the_newest_unfinished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of this model and data only; those with ``metrics.json`` are finished."""
    monkeypatch.chdir(tmp_path)
    for name, finished in (("2026-01-01", False), ("2026-01-02", False), ("2026-01-03", True)):
        ckpt = Path(run_folder(tmp_path / "outputs" / "linear-demo" / name, ["model=linear", f"seed={name[-1]}"]))
        ckpt.touch()
        if finished:
            (ckpt.parents[1] / "metrics.json").touch()
    run_folder(tmp_path / "outputs" / "transformer-demo" / "2026-01-09", [])
    arguments = resume(["model=linear", "ckpt='last'"])
    assert "seed=2" in arguments
    assert through_hydra(arguments[-1]).endswith("linear-demo/2026-01-02/checkpoints/last.ckpt")
