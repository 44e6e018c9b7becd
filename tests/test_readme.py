"""What the README shows works as it is pasted."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT, call

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def block_with(text: str, language: str) -> str:
    """Return the code block of a language that holds a text."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (block,) = (content for name, content in blocks if name == language and text in content)
    return str(block)


def test_the_network_trains_and_predicts(tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pasted into two files, it is trained for a few steps, and predicts when it is trusted."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_network.py").write_text(block_with("class MyNetwork", "python"))
    (tmp_path / "my_conf" / "model").mkdir(parents=True)
    (tmp_path / "my_conf" / "model" / "my_network.yaml").write_text(block_with("MyNetwork", "yaml"))
    commands = block_with("--config-dir my_conf", "bash")
    assert "trust=my_network" in commands
    words = ["--config-dir", "my_conf", "model=my_network", "data=demo", *tiny, "trainer.max_epochs=1"]
    called = call("train.py", *words, cwd=tmp_path)
    assert called.status == 0, called.err
    (best,) = tmp_path.glob("outputs/my_network-demo/*/checkpoints/best.ckpt")
    predicted = call("predict.py", f"ckpt={best}", "trust=my_network", "trainer=cpu", "out=out", cwd=tmp_path)
    assert predicted.status == 0, predicted.err
    assert list((tmp_path / "out").glob("*/*/*/results_spotting.json"))
    sys.modules.pop("my_network")
