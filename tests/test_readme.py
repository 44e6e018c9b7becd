"""What README and docs show works as it is pasted: networks run, configs compose, commands and calls are understood."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig

import spotter
from spotter.cli import COMMANDS, OF_OVERRIDES, _parser
from spotter.cli.aliases import translate_words
from spotter.cli.compose import compose_config, split_flags
from spotter.cli.conf_files import offered, options_of
from spotter.cli.overrides import gather_inputs, quote
from spotter.data.features import FeatureSource
from spotter.inference.model import Model
from spotter.predictions import Predictions
from spotter.training.run import Run
from tests.helpers.pages import PAGES, block_with, blocks_of, paste_configs

NAMES = {"spotter": spotter, "model": Model, "spots": Predictions, "run": Run}  # what examples in Python call


def commands() -> Iterator[list[str]]:
    """Yield the words of every command of spotter that is shown, without its name."""
    for line in "".join(blocks_of("bash")).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] in ("srun", "torchrun"):  # which start it
            words = words[words.index("spotter") :]
        if words and words[0] in ("spotter", "train.py", "predict.py"):
            yield words[1:] if words[0] == "spotter" else [Path(words[0]).stem, *words[1:]]


def composed(words: list[str]) -> DictConfig:
    """Return the config that the words of ``train`` or ``predict`` compose, of a sweep that of its first job."""
    name, *overrides = words
    shown = [re.sub(r"^([\w.]+=[^\[,']+),.*", r"\1", word) for word in overrides if word != "--multirun"]
    return compose_config(name, *split_flags(gather_inputs([quote(word) for word in translate_words(shown)])))


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words in commands()])
def test_commands_are_understood(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configs compose, arguments parse; nothing is run."""
    monkeypatch.chdir(tmp_path)
    paste_configs(tmp_path)
    assert words[0] in COMMANDS
    if words[0] in OF_OVERRIDES:
        composed(words)
    elif "--help" in words:
        with pytest.raises(SystemExit) as ended:
            _parser(words[0]).parse_args(words)
        assert ended.value.code == 0
    else:
        _parser(words[0]).parse_args(words)


@pytest.mark.parametrize("group", ["data", "experiment", "logger", "model", "postprocess", "sweep", "trainer"])
def test_options_that_are_named_exist(group: str) -> None:
    """Wherever in the text."""
    named = {option for page in PAGES.values() for option in re.findall(rf"[` ]{group}=([a-z]\w*)", page)}
    ours = {"mine", "my_network", "my_loss"}
    assert named - ours <= set(offered(options_of(group), group, "train")), "an option that is not there"


@pytest.mark.parametrize("code", blocks_of("python"))
def test_calls_fit_what_is_called(code: str) -> None:
    """Every attribute of ours exists, and takes the arguments that are shown."""
    nodes = list(ast.walk(ast.parse(code)))
    calls = {node.func: node for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in NAMES:
            found = hasattr(NAMES[node.value.id], node.attr) or node.attr in NAMES[node.value.id].__annotations__
            assert found, f"{node.value.id}.{node.attr}"
            if node in calls:
                signature = inspect.signature(getattr(NAMES[node.value.id], node.attr))
                itself = [] if node.value.id == "spotter" else [None]
                signature.bind(*itself, *calls[node].args, **{str(each.arg): None for each in calls[node].keywords})


def test_the_feature_config_composes(tmp_path: Path) -> None:
    """Alone, and with the stream of positions that is shown below it, both as sources that can be built."""
    (tmp_path / "data").mkdir()
    feature = block_with("my_features", "yaml")
    stream = next(block for block in blocks_of("yaml") if block.startswith("    tracking:"))
    for content, streams in ((feature, ["mine", "audio"]), (feature + stream, ["mine", "audio", "tracking"])):
        (tmp_path / "data" / "mine.yaml").write_text(content)
        cfg = composed(["train", "--config-dir", str(tmp_path), "data=mine", "data.root=/nowhere"])
        source = hydra.utils.instantiate(cfg.data.source)
        assert isinstance(source, FeatureSource)
        assert [stream.name for stream in source.spec.streams] == streams
