"""A sweep ends before its first job where a data set has no folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import open_dict

from spotter.cli.compose import compose_config
from spotter.cli.sweep_roots import check_data_root
from tests.conftest import call


@pytest.fixture
def no_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SOCCERNET_ROOT", "NGS_ROOT", "TENNIS_ROOT"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.slow
@pytest.mark.usefixtures("no_roots")
@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["experiment=compare_real"], ["commentary", "ngs", "tennis"]),
        (["data=demo,ngs", "seed=1,2"], ["ngs"]),
        (["data=baidu", "model=tcn,unet"], ["baidu"]),
        (["experiment=baidu_2021,maxpool_resnet"], ["baidu"]),
    ],
)
def test_all_that_is_missing_is_named_at_once(tmp_path: Path, words: list[str], missing: list[str]) -> None:
    called = call("train.py", "--multirun", *words, cwd=tmp_path)
    assert called.status == 1
    lines = called.err.strip().splitlines()
    assert [line.split(": ")[1] for line in lines] == [f"data={name}" for name in missing], called.err
    assert all("data.root is not set" in line for line in lines)
    assert not list(tmp_path.rglob("output.txt")), "no job was started"


@pytest.mark.slow
@pytest.mark.usefixtures("no_roots")
def test_only_those_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGS_ROOT", str(tmp_path))
    monkeypatch.setenv("TENNIS_ROOT", str(tmp_path / "gone"))
    called = call("train.py", "--multirun", "data=ngs,tennis,demo", cwd=tmp_path)
    assert called.status == 1
    assert called.err.startswith("error: data=tennis: data.root: no folder")
    assert len(called.err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_mistake_in_a_word_is_said_by_hydra_once(tmp_path: Path) -> None:
    called = call("train.py", "--multirun", "data=demo", "model=tcn", "modle.lr=1,2", cwd=tmp_path)
    assert called.status != 0
    assert "did you mean model.lr" in called.err
    assert "Callback" not in called.err


@pytest.mark.usefixtures("no_roots")
@pytest.mark.parametrize(
    "words",
    [["data=baidu", "data.labels=osl/annotations.json"], ["data=baidu", "data.remote=s3://bucket/tree"], ["data=mine"]],
)
def test_folders_that_are_known_otherwise_are_not_asked_for(tmp_path: Path, words: list[str]) -> None:
    """Those of files of labels, of what is fetched, and of data modules of the user's."""
    (tmp_path / "osl").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text("defaults: [baidu]\n_target_: mine.Mine\n", encoding="utf-8")
    config = compose_config("train", ["--config-dir", str(tmp_path)], words)
    labels = config.data.labels
    with open_dict(config):
        config.data.labels = labels and str(tmp_path / labels)
    check_data_root(config.data)


@pytest.mark.slow
@pytest.mark.usefixtures("no_roots")
@pytest.mark.parametrize("given", ["--config-dir={}", "hydra.searchpath=[file://{}]"])
def test_configs_of_the_user_are_found_as_in_the_jobs(tmp_path: Path, given: str) -> None:
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "mine.yaml").write_text("defaults: [baidu]\n", encoding="utf-8")
    called = call("train.py", "--multirun", given.format(tmp_path / "conf"), "data=mine", "seed=1,2", cwd=tmp_path)
    assert called.status == 1
    assert called.err.startswith("error: data=mine: data.root is not set")
    assert len(called.err.splitlines()) == 1
