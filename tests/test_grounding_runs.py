"""From simulated replays to answers: data, a short training, the command, and a match of one's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import spotter
from spotter.cli import main
from spotter.data.replays import LABELS, Replay, ReplaySource, find_replay_records, repeat_rows
from spotter.errors import UserError
from spotter.inference.delays import LONGEST, answer_by_spots, delay_prior
from spotter.io.cameras import Replays, find_replays, read_cameras
from spotter.io.formats import format_of
from spotter.io.predictions import write_predictions
from spotter.simulation.features import simulate
from spotter.tasks import Task
from spotter.types import Clip, Half, HalfPredictions

STREAMS = {"demo": {"file": "baidu_soccer_embeddings", "fps": 1, "width": 32}}


@pytest.fixture(scope="module")
def replays_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("replays"), games=(1, 1, 1), minutes=12, width=32, replays=True)


def test_simulated_replays_repeat_labelled_actions(replays_tree: Path) -> None:
    task = Task.load("soccernet-v2")
    games = format_of(task).games(replays_tree, task)
    spots = format_of(task).read(replays_tree, games, task)
    count = 0
    for game, replays in find_replays(read_cameras(replays_tree, games, LABELS)).items():
        for half, start, end, action, time in zip(
            replays.half, replays.start, replays.end, replays.action, replays.time, strict=True
        ):
            labelled = spots[Half(game, int(half))]
            assert action in labelled.label[np.isclose(labelled.time, time)]
            assert time < end
            assert 8 <= end - start <= 25
            count += 1
    assert count >= 6


def test_sequences_are_the_time_before_a_replay_and_show_it(replays_tree: Path) -> None:
    game = format_of(LABELS).games(replays_tree, LABELS)[0]
    source = ReplaySource(STREAMS, replays_tree, before=60.0)
    replay = Replay(Half(game, 1), 200, 210)
    assert Replay.of(replay.sequence) == replay
    assert (source.first(replay.sequence), source.length(replay.sequence)) == (140, 61)
    rows = np.load(replays_tree / game / "1_baidu_soccer_embeddings.npy")
    inputs, phase = source.read([replay.sequence], [Clip(0, 5)], 24)
    np.testing.assert_array_equal(inputs["demo"][0], rows[145:169])
    shown = inputs["replay_demo"][0]
    np.testing.assert_array_equal(shown[:10], rows[200:210])
    np.testing.assert_array_equal(shown[10:20], rows[200:210])
    assert not shown[20:].any()
    assert set(phase) == set(inputs)
    whole = ReplaySource(STREAMS, replays_tree, before=float("inf"))
    assert (whole.first(replay.sequence), whole.length(replay.sequence)) == (0, len(rows))
    with pytest.raises(UserError, match="no replay"):
        source.length(Half(game, 1))


def test_a_replay_is_repeated_while_a_whole_copy_and_a_row_fit() -> None:
    rows = torch.arange(1.0, 5)[None, :, None]
    shown = {length: repeat_rows(rows, [length], 6)[0, :, 0].tolist() for length in (2, 3, 4)}
    assert shown == {2: [1, 2, 1, 2, 0, 0], 3: [1, 2, 3, 0, 0, 0], 4: [1, 2, 3, 4, 0, 0]}
    assert repeat_rows(rows, [4], 4)[0, :, 0].tolist() == [1, 2, 3, 4]


def test_games_without_camera_labels_are_left_out(replays_tree: Path, tmp_path: Path) -> None:
    games = format_of(LABELS).games(replays_tree, LABELS)
    records = find_replay_records(replays_tree, [*games, "none/of/these"], ReplaySource(STREAMS, replays_tree))
    assert all(record.spots is not None and len(record.spots) == 1 for record in records)
    with pytest.raises(UserError, match="holds no replay"):
        find_replay_records(tmp_path, games, ReplaySource(STREAMS, tmp_path))


@pytest.mark.slow
def test_train_and_ground(replays_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = spotter.train(
        [
            *(
                "model=grounding_calf",
                "data=demo_replays",
                f"data.root={replays_tree}",
                f"hydra.run.dir={tmp_path / 'run'}",
            ),
            *("data.demo.games=[1,1,1]", "data.demo.minutes=12", "data.width=32", "model.network.dim=16"),
            *(
                "data.source.streams.demo.groups=null",
                "trainer.max_epochs=1",
                "trainer=cpu",
                "model.clips.per_epoch=32",
            ),
            *("data.batch_size=8", "trainer.check_val_every_n_epoch=1"),
        ]
    )
    assert 0 <= run.metrics["test"]["loose"]["map"] <= 1
    out = tmp_path / "answers"
    ckpt = run.folder / "checkpoints" / "best.ckpt"
    assert main(["ground", f"ckpt={ckpt}", f"data.root={replays_tree}", f"out={out}", "device=cpu"]) == 0
    scores = json.loads((out / "metrics.json").read_text())
    again = spotter.evaluate(replays_tree, out / "results_grounding.zip", task="replay-grounding", split="test")
    assert again == scores
    assert scores["answered"] == scores["replays"] > 0
    assert "average-AP" in capsys.readouterr().out
    assert main(["predict", f"ckpt={ckpt}", f"data.root={replays_tree}"]) == 1
    assert "use spotter ground" in capsys.readouterr().err

    game = format_of(LABELS).games(replays_tree, LABELS)[0]
    listed = tmp_path / "replays.json"
    listed.write_text(json.dumps({"Replays": [{"half": 1, "start": 300, "end": 309}]}))
    own = replays_tree / game / "1_baidu_soccer_embeddings.npy"
    words = [f"ckpt={ckpt}", f"input={own}", f"replays={listed}", f"out={tmp_path / 'own'}", "device=cpu"]
    assert main(["ground", *words]) == 0
    (found,) = (tmp_path / "own").rglob("results_grounding.json")
    (answer,) = json.loads(found.read_text())["Replays"]
    assert (answer["half"], answer["start"], answer["end"]) == (1, 300, 309)
    assert all(180 <= each["time"] <= 301 and 0 <= each["score"] <= 1 for each in answer["detection"])

    wrong = {
        "entry 1 lasts from 309 to 300 s": {"half": 1, "start": 309, "end": 300},
        "entry 1 lasts from -5 to 10 s": {"half": 1, "start": -5, "end": 10},
        "a replay at 9000 s of half 1, which ends at": {"half": 1, "start": 9000, "end": 9010},
    }
    for said, replay in wrong.items():
        listed.write_text(json.dumps({"Replays": [replay]}))
        assert main(["ground", *words]) == 1
        assert f"replays.json: {said}" in capsys.readouterr().err
    listed.write_text('{"Replays": []}')
    assert main(["ground", *words]) == 1
    assert '"Replays" is empty' in capsys.readouterr().err


def test_spots_answer_replays_by_usual_delays(
    replays_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task, found = Task.load("soccernet-v2"), {}
    games = format_of(task).games(replays_tree, task)
    for half, rows in format_of(task).read(replays_tree, games, task).items():
        found[half] = HalfPredictions(rows.label, rows.time, np.full(len(rows), 0.9))
    write_predictions(tmp_path / "spots", found, task)
    out = tmp_path / "answers"
    words = [f"spots={tmp_path / 'spots'}", f"data.root={replays_tree}", f"out={out}"]
    assert main(["ground", *words]) == 0
    scores = json.loads((out / "metrics.json").read_text())
    assert scores["answered"] == scores["replays"] > 0
    assert scores["loose"]["average_ap"] > 0.3, "perfect spots leave the question which of them"
    assert main(["ground", *words[:2]]) == 2
    assert "give out=DIR" in capsys.readouterr().err


@pytest.fixture
def spots_of_two_games(replays_tree: Path, tmp_path: Path) -> tuple[Path, list[str], list[str]]:
    """Return a tree of two test games, of which the first has no replay, these games, and the words that answer."""
    root, task = tmp_path / "tree", Task.load("soccernet-v2")
    shutil.copytree(replays_tree, root)
    splits = json.loads((root / "splits.json").read_text())
    splits["test"] = [*splits["valid"], *splits["test"]]
    (root / "splits.json").write_text(json.dumps(splits))
    cameras = root / splits["test"][0] / LABELS.label_file
    content = json.loads(cameras.read_text())
    for shot in content["annotations"]:
        shot.pop("link", None)
        shot["replay"] = "real-time"
    cameras.write_text(json.dumps(content))
    labels = format_of(task).read(root, splits["test"], task)
    found = {half: HalfPredictions(rows.label, rows.time, np.full(len(rows), 0.9)) for half, rows in labels.items()}
    write_predictions(tmp_path / "spots", found, task)
    words = [f"spots={tmp_path / 'spots'}", f"data.root={root}", f"out={tmp_path / 'answers'}"]
    return root, splits["test"], words


def test_a_game_without_replays_gets_a_file_that_answers_none(
    spots_of_two_games: tuple[Path, list[str], list[str]], tmp_path: Path
) -> None:
    root, games, words = spots_of_two_games
    assert main(["ground", *words]) == 0
    out = tmp_path / "answers"
    assert json.loads((out / games[0] / "results_grounding.json").read_text())["Replays"] == []
    again = spotter.evaluate(root, out / "results_grounding.zip", task="replay-grounding", split="test")
    assert again == json.loads((out / "metrics.json").read_text())
    assert (again["games"], again["answered"]) == (2, again["replays"])


def test_nothing_of_earlier_answers_is_left(
    spots_of_two_games: tuple[Path, list[str], list[str]], tmp_path: Path
) -> None:
    root, games, words = spots_of_two_games
    assert main(["ground", *words]) == 0
    (root / games[1] / LABELS.label_file).unlink()
    assert main(["ground", *words]) == 0
    out = tmp_path / "answers"
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {f"{games[0]}/results_grounding.json", "results_grounding.zip"}


def test_answers_go_into_no_run(
    spots_of_two_games: tuple[Path, list[str], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "metrics.json").write_text("{}")
    assert main(["ground", *spots_of_two_games[2]]) == 2
    assert "answers holds another run or prediction (metrics.json)" in capsys.readouterr().err


def test_games_of_a_split_that_have_no_camera_labels_are_counted(
    spots_of_two_games: tuple[Path, list[str], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    root, games, words = spots_of_two_games
    (root / games[0] / LABELS.label_file).unlink()
    with caplog.at_level("INFO"):
        assert main(["ground", *words]) == 0
    assert "1 of 2 games of split test have no Labels-cameras.json" in caplog.messages


def test_the_prior_is_of_delays_before_the_replay() -> None:
    start, time = np.array([100, 200, 300, 400]), np.array([85.0, 185.5, 310.0, 100.0])
    whole = np.ones(4, np.int64)
    prior = delay_prior([Replays(whole, whole, start, start + 9, whole, time)])
    assert prior.shape == (LONGEST,)
    assert prior.argmax() in (14, 15)
    assert prior[60] < 1e-6
    with pytest.raises(UserError, match="no delays to learn"):
        delay_prior([])
    spots = HalfPredictions(np.array([2, 2, 2]), np.array([5.0, 86.0, 101.0]), np.full(3, 0.5))
    answers = answer_by_spots([(1, 100, 109), (2, 50, 60)], {1: spots}, prior)
    assert answers.time.tolist() == [5, 86]
    assert answers.replay.tolist() == [0, 0]
    assert answers.score[1] == pytest.approx(0.5 * prior[14])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["split=test"], "give ckpt=PATH"),
        (["ckpt=x", "input=y"], "needs both"),
        (["ckpt=x", "root=y"], "root: unknown"),
        (["ckpt=x", "data.root=y", f"out={__file__}"], "out: "),
    ],
)
def test_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ground", *words]) == 2
    assert said in capsys.readouterr().err
