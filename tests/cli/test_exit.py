"""What a command says as it ends, once for all of its processes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch.distributed as dist

from spotter.cli import exit, main
from spotter.errors import UserError
from tests.conftest import on_ranks, process


def fails() -> int:
    raise UserError("no such file")


@pytest.mark.parametrize(("rank", "line"), [("0", "error: no such file\n"), ("2", "rank 2: error: no such file\n")])
def test_processes_that_have_not_met(
    rank: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each says what ended it, and which one it is."""
    monkeypatch.setenv("RANK", rank)
    assert exit.run_command(fails) == 1
    assert capsys.readouterr().err == line


def test_an_interruption_while_torch_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python then forgets torch itself, not its parts; to import it again would fail."""

    def interrupted() -> int:
        monkeypatch.delitem(sys.modules, "torch")
        monkeypatch.delitem(sys.modules, "spotter.inference.ranks", raising=False)
        monkeypatch.setitem(sys.modules, "torch.distributed", ModuleType("torch.distributed"))
        raise KeyboardInterrupt

    assert exit.run_command(interrupted) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert "torch" not in sys.modules


def test_a_rank_that_fails_alone_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first has nothing to report."""
    monkeypatch.setattr(exit, "PATIENCE", 0.5)

    def work() -> int:
        dist.init_process_group("gloo")
        status = 0
        if dist.get_rank() == 1:
            with (tmp_path / "err").open("w", encoding="utf-8") as err:
                monkeypatch.setattr("sys.stderr", err)
                status = exit.run_command(fails)
        dist.barrier()
        return status

    assert on_ranks(2, work) == [0, 1]
    assert (tmp_path / "err").read_text(encoding="utf-8") == "rank 1: error: no such file\n"


@pytest.mark.slow
def test_one_error_of_two_ranks_is_one_line(tiny: list[str], tmp_path: Path) -> None:
    """Both find it when they have been launched."""
    words = [*tiny, "trainer=ddp_cpu", "model.sam=0.05", "trainer.accumulate_grad_batches=2"]
    run = process("train.py", *words, cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.count("error:") == 1, run.stderr
    assert "error: model.sam: does not go with" in run.stderr


@pytest.mark.parametrize(("typed", "meant"), [("export", "export-weights"), ("evalute", "evaluate")])
def test_a_command_that_is_not_there_names_the_one_that_is_meant(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([typed]) == 2
    assert capsys.readouterr().err == f"error: {typed}: no such command; did you mean {meant}?\n"
