"""Checkpoints that version 0.1 wrote predict what they predicted then, and can be started from."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import runpy
import sys
from pathlib import Path
from unittest import mock

import pytest
from hydra.core.global_hydra import GlobalHydra

from tests.fixtures.make_v0_1 import BEST, FOLDER, NAMES, PROJECT, predicted, prediction, training, write_input


def command(script: str, words: list[str], cwd: Path) -> str:
    """Run a script as the command line would, within this process; it must succeed. Return its standard error."""
    GlobalHydra.instance().clear()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as err,
        mock.patch.object(sys, "argv", [str(PROJECT / script), *words]),
        mock.patch.dict(os.environ),
    ):
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(PROJECT / script), run_name="__main__")
        said = err.getvalue()
    assert not ended.value.code, said
    return said


@pytest.mark.parametrize("name", NAMES)
def test_predicts_what_it_predicted(name: str, tmp_path: Path) -> None:
    """The most confident predictions, whatever the order of those that are all but equal."""
    file = write_input(tmp_path, name)
    command("predict.py", prediction(FOLDER / f"{name}.ckpt", file, tmp_path / "out"), tmp_path)
    found = predicted(tmp_path / "out")
    expected = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert len(expected) == min(BEST, len(found))
    assert found[0]["confidence"] == pytest.approx(expected[0]["confidence"], rel=1e-4)
    for wanted in expected:
        near = [
            each["confidence"]
            for each in found
            if each["label"] == wanted["label"] and abs(each["position"] - wanted["position"]) <= 2  # ms
        ]
        assert any(confidence == pytest.approx(wanted["confidence"], rel=1e-4) for confidence in near), (wanted, near)


FORMER = {  # the network of the time, where its default is another now
    "transformer": [
        *("model.network.dilations=[]", "model.network.upsample=2", "model.network.token_dropout=0.1"),
        "model.head.displacement=huber",
    ]
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformer", "ste"])
def test_is_started_from(name: str, tmp_path: Path) -> None:
    """Training takes every one of its tensors."""
    words = [f"model.init_from={FOLDER / name}.ckpt", "trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1"]
    said = command("train.py", [*training(name), *FORMER.get(name, []), *words], tmp_path)
    took = re.search(r"took (\d+) of (\d+) tensors", said)
    assert took, said
    assert took[1] == took[2] != "0"
