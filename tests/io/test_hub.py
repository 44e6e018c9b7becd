"""Checkpoints on the Hugging Face hub: found, cached, and one sentence for each way in which they are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

import spotter
from spotter.errors import UserError
from spotter.io.hub import local_file
from tests.conftest import PROJECT, call
from tests.helpers.hub import TOKEN, Repository, StandIn, stand_in


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with stand_in(str(tmp_path / "cache")) as served:
        files = {"best.ckpt": b"main", "a/b.ckpt": b"deeper"}
        served.repositories["me/soccer"] = Repository({"main": files, "v1": {"best.ckpt": b"first"}})
        served.repositories["me/gated"] = Repository({"main": files}, gated=True)
        served.repositories["me/mine"] = Repository({"main": files}, private=True)
        yield served


@pytest.mark.parametrize(
    ("name", "content"),
    [("me/soccer/best.ckpt", b"main"), ("me/soccer@v1/best.ckpt", b"first"), ("me/soccer/a/b.ckpt", b"deeper")],
)
def test_a_file_of_a_revision(name: str, content: bytes, hub: StandIn) -> None:
    assert local_file(f"hf://{name}").read_bytes() == content


def test_a_file_is_downloaded_once_and_served_offline(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    first = local_file("hf://me/soccer/best.ckpt")
    assert local_file("hf://me/soccer/best.ckpt") == first
    assert sum(each.startswith("GET") for each in hub.asked) == 1
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert local_file("hf://me/soccer/best.ckpt") == first


@pytest.mark.parametrize(
    ("name", "token", "message"),
    [
        ("me/gated/best.ckpt", None, r"access is granted to accounts: ask for it on http.*/me/gated, then log in"),
        ("me/gated/best.ckpt", "hf_other", r"your account has not been granted access yet: ask for it on"),
        ("me/mine/best.ckpt", None, r"there is no http.*/me/mine, or it is private"),
        ("me/mine/best.ckpt", "hf_other", r"there is no http.*/me/mine, or it is private"),
        ("me/nothing/best.ckpt", None, r"there is no http.*/me/nothing, or it is private"),
        ("me/soccer/best.ckpt", "hf_false", "the hub refuses your token: log in again"),
        ("me/soccer/last.ckpt", None, r"/me/soccer has no such file"),
        ("me/soccer@v2/best.ckpt", None, r"/me/soccer has no such branch, tag or commit"),
    ],
)
def test_each_refusal_is_one_sentence(
    name: str, token: str | None, message: str, hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError, match=message) as error:
        local_file(f"hf://{name}")
    assert str(error.value).startswith(f"ckpt: hf://{name}: ")
    assert len(str(error.value).splitlines()) == 1


def test_who_has_been_granted_access_gets_it(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert local_file("hf://me/gated/best.ckpt").read_bytes() == b"main"


def test_without_a_network_and_where_the_user_wants_none(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 cannot be reached: check the connection"):
        local_file("hf://me/soccer/best.ckpt")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set, so nothing is downloaded"):
        local_file("hf://me/soccer/best.ckpt")


@pytest.mark.parametrize("name", ["", "me", "me/soccer", "me/soccer/", "me/soccer@/a", "me/so ccer/a", "me/x/../../y"])
def test_what_is_no_name(name: str, hub: StandIn) -> None:
    with pytest.raises(UserError, match=r"expected hf://owner/name\[@revision\]/file, found 'hf://"):
        local_file(f"hf://{name}", "model.init_from")
    assert not hub.asked


@pytest.mark.slow
def test_predict_train_and_load_take_it(
    hub: StandIn, trained: Path, tree: Path, tiny: list[str], tmp_path: Path
) -> None:
    folder = trained / "checkpoints"
    files = {f"{name}.ckpt": (folder / f"{name}.ckpt").read_bytes() for name in ("best", "last")}
    hub.repositories["me/run"] = Repository({"main": files})
    half = next(tree.rglob("1_*.npy"))
    assert (
        spotter.load("hf://me/run/best.ckpt", "cpu")
        .predict(half, progress=False)
        .to_frame()
        .equals(spotter.load(folder / "best.ckpt", "cpu").predict(half, progress=False).to_frame())
    )
    called = call("predict.py", "ckpt=hf://me/run/best.ckpt", f"input={half}", "trainer=cpu", cwd=tmp_path)
    assert called.status == 0, called.err
    assert len(list(tmp_path.glob("predictions/*/*/results_spotting.json"))) == 1, "not in the cache of the hub"
    began = call("train.py", *tiny, "model.init_from=hf://me/run/best.ckpt", "trainer.max_epochs=1", cwd=tmp_path)
    assert "tensors from hf://me/run/best.ckpt" in began.err, began.err
    goes_on = call("train.py", *tiny, "ckpt=hf://me/run/last.ckpt", "trainer.max_epochs=3", cwd=tmp_path)
    assert goes_on.status == 0, goes_on.err
    assert "best.ckpt: not here, so the best weights are chosen among those from now on" in goes_on.err
    assert "epoch 3/3" in goes_on.err
    assert "epoch 2/3" not in goes_on.err, "two had been trained"
    assert "HTTP" not in goes_on.err


def test_a_user_sets_the_address_by_the_environment(hub: StandIn, tmp_path: Path) -> None:
    code = "import sys; from spotter.io.hub import local_file; print(local_file(sys.argv[1]).read_text())"
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", code, "hf://me/soccer/best.ckpt"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout == "main\n", ran.stderr
