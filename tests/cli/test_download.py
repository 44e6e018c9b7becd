"""``spotter download`` from a stand-in hub: what it lists, fetches, goes on with, checks, unpacks and refuses."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from spotter.cli import main
from spotter.io.downloads import TABLE, sources_of
from spotter.io.splits import load_splits
from spotter.tasks import Task
from tests.helpers.hub import TOKEN, Repository, StandIn, stand_in, zipped

GAMES = load_splits(Task.load("soccernet-v2"))
BALL = load_splits(Task.load("ball-2025"))
LABELS, FEATURES, BAS = "SoccerNet/SN-Labels", "SoccerNet/SN-Features", "SoccerNet/SN-BAS-2025"
ROWS = bytes(range(256)) * 40


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Serve labels and features of some valid games, and ball games in zips."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with stand_in(str(tmp_path / "cache")) as served:
        valid = GAMES["valid"][:5]  # the others are lacking
        labels = {f"{game}/Labels-v2.json": game.encode() for game in valid}
        rows = {f"{game}/{half}_baidu_soccer_embeddings.npy": ROWS + game.encode() for game in valid for half in (1, 2)}
        served.repositories[LABELS] = Repository({"main": {**labels, "README.md": b"read me"}})
        served.repositories[FEATURES] = Repository({"main": {}, "baidu-soccer-embeddings": rows})
        games = {f"bas-{split}.zip": ball_zip(split) for split in ("train", "valid", "test", "challenge")}
        served.repositories[BAS] = Repository({"main": games}, gated=True)
        yield served


def ball_zip(split: str, top: str = "some/folder/") -> bytes:
    files = {f"{top}{game}/{name}": f"{game} {name}".encode() for game in BALL[split]
             for name in ("Labels-ball.json", "224p.mp4", "720p.mp4", "notes.txt")}  # fmt: skip
    return zipped(files)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Keep what is said, as a terminal shows it."""
    caplog.set_level("INFO")
    return caplog


def download(*words: object) -> int:
    return main(["download", *map(str, words)])


def test_a_dry_run_lists_every_file_without_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert download("soccernet-v2", tmp_path / "new", "--dry-run") == 0
    listed = capsys.readouterr().out.splitlines()
    games = sum(len(GAMES[split]) for split in ("train", "valid", "test"))
    assert len(listed) == 3 * games == 1500
    assert f"{LABELS} main {GAMES['train'][0]}/Labels-v2.json" in listed
    assert f"{FEATURES} baidu-soccer-embeddings {GAMES['test'][-1]}/2_baidu_soccer_embeddings.npy" in listed
    assert not (tmp_path / "new").exists()


def test_challenge_games_have_video_in_a_repository_of_their_own_and_no_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--what", "224p,labels", "--split", "valid,challenge", "--dry-run")
    assert download("soccernet-v2", tmp_path, *words) == 0
    listed = capsys.readouterr().out.splitlines()
    assert sum(each.startswith("SoccerNet/SoccerNet_raw_HQ_Challenge videos-224p ") for each in listed) == 100
    assert sum(each.startswith("SoccerNet/SoccerNet_raw_HQ videos-224p ") for each in listed) == 200
    assert sum(each.startswith(LABELS) for each in listed) == 100


@pytest.mark.parametrize("name", ["soccernet-v2", "soccernet-v2-team", "replay-grounding", "ball-2023", "ball-2024",
                                  "ball-2025", "sngar-2022"])  # fmt: skip
def test_every_entry_of_the_table_lists_something(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for what in sources_of(Task.load(name)):
        assert download(name, "nowhere", "--what", what, "--dry-run", "--split", "train") == 0
        assert capsys.readouterr().out, what


def test_the_tree_is_the_official_one_and_what_is_there_is_skipped(
    hub: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "data"
    assert download("soccernet-v2", root, "--split", "valid") == 0
    game = GAMES["valid"][0]
    assert (root / game / "Labels-v2.json").read_bytes() == game.encode()
    assert (root / game / "2_baidu_soccer_embeddings.npy").read_bytes() == ROWS + game.encode()
    assert len([path for path in root.rglob("*") if path.is_file()]) == 3 * 5
    assert "285 of the files are not on the hub, the first is" in caplog.text
    hub.asked.clear()
    assert download("soccernet-v2", root, "--split", "valid") == 0
    assert "15 files of" in caplog.text
    assert "0.0 MB to come" in caplog.text
    assert not [each for each in hub.asked if "resolve" in each]


def test_a_connection_that_is_cut_goes_on_where_it_ended(hub: StandIn, tmp_path: Path) -> None:
    """Within one command; a request for the rest alone is made."""
    game = GAMES["valid"][0]
    path = f"{game}/1_baidu_soccer_embeddings.npy"
    hub.cuts[path] = [4000, 3000]
    assert download("soccernet-v2", tmp_path / "data", "--split", "valid", "--what", "baidu") == 0
    assert (tmp_path / "data" / path).read_bytes() == ROWS + game.encode()
    ranges = [each.rpartition("bytes=")[2] for each in hub.asked if path in each and "bytes=" in each]
    assert ranges == ["4000-", "7000-"]


def test_a_command_that_was_killed_goes_on_where_it_ended(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after the connection is lost for good; the name is given only to what is whole."""
    from huggingface_hub import file_download

    game = GAMES["valid"][0]
    path = f"{game}/1_baidu_soccer_embeddings.npy"
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)
    hub.cuts[path] = [4000] + [0] * 6
    words = ("soccernet-v2", tmp_path / "data", "--split", "valid", "--what", "baidu")
    assert download(*words) == 1
    assert not (tmp_path / "data" / path).exists()
    hub.asked.clear()
    assert download(*words) == 0
    assert (tmp_path / "data" / path).read_bytes() == ROWS + game.encode()
    assert f"GET /datasets/{FEATURES}/resolve/baidu-soccer-embeddings/{path} bytes=4000-" in hub.asked
    assert not list((tmp_path / "data").rglob("*.part"))


def test_another_host_sends_large_files_and_sees_no_token(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub sends on to a store; what was cut off goes on there, too."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.elsewhere, hub.cuts = True, {"bas-train.zip": [2000]}
    assert download("ball-2025", tmp_path / "data", "--split", "train", "--what", "labels") == 0
    assert len(list((tmp_path / "data").rglob("Labels-ball.json"))) == len(BALL["train"])
    assert hub.tokens == [None, None]
    assert hub.asked[-1].endswith("bytes=2000-")


def test_content_that_is_not_what_is_listed_is_not_kept(
    hub: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"{GAMES['valid'][0]}/Labels-v2.json"
    hub.broken.add(path)
    words = ("soccernet-v2", tmp_path / "data", "--split", "valid", "--what", "labels")
    assert download(*words) == 1
    assert "what came is not what the hub lists: the same command downloads it again" in capsys.readouterr().err
    assert not list((tmp_path / "data" / path).parent.iterdir())
    hub.broken.clear()
    assert download(*words) == 0


def test_a_file_of_the_users_own_stays_and_is_named(
    hub: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Corrected labels must not be lost."""
    own = tmp_path / "data" / GAMES["valid"][0] / "Labels-v2.json"
    own.parent.mkdir(parents=True)
    own.write_text("corrected")
    assert download("soccernet-v2", tmp_path / "data", "--split", "valid", "--what", "labels") == 0
    assert own.read_text() == "corrected"
    assert (
        f"1 file in another size than published and kept, first {own}: delete it to get the published one"
        in caplog.text
    )
    assert (tmp_path / "data" / GAMES["valid"][1] / "Labels-v2.json").is_file()


def test_a_disk_that_is_too_small_is_known_first(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 40_000, 40_000))
    assert download("soccernet-v2", tmp_path / "data", "--split", "valid") == 1
    assert "what is to come needs 0.1 MB, and 0.0 MB are free: make room" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "access is granted to accounts: ask for it on {hub}/datasets/SoccerNet/SN-BAS-2025, then log in by"),
        ("hf_other", "your account has not been granted access yet: ask for it on {hub}/datasets/SoccerNet/SN-BAS"),
        ("hf_false", "the hub refuses your token: log in again by `hf auth login`"),
    ],
)
def test_each_refusal_is_one_sentence(
    token: str | None, message: str, hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert download("ball-2025", tmp_path / "data") == 1
    said = capsys.readouterr().err
    assert message.format(hub=hub.address) in said
    assert "Traceback" not in said


def test_without_a_network(hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                           capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert download("ball-2025", tmp_path / "data") == 1
    assert "http://127.0.0.1:9 cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize("top", ["", "some/folder/"])
def test_zips_of_games_are_unpacked_into_the_tree(
    top: str, hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.repositories[BAS].branches["main"]["bas-train.zip"] = ball_zip("train", top)
    root = tmp_path / "data"
    words = ("ball-2025", root, "--split", "train,valid", "--what", "labels,224p")
    assert download(*words) == 0
    for game in BALL["train"] + BALL["valid"]:
        assert {path.name for path in (root / game).iterdir()} == {"Labels-ball.json", "224p.mp4"}
        assert (root / game / "224p.mp4").read_text() == f"{game} 224p.mp4"
    assert f"{root}/bas-train.zip: 8 files unpacked, 0 were there; it may be deleted" in caplog.text
    (root / BALL["train"][0] / "Labels-ball.json").write_text("corrected")
    assert download(*words) == 0
    assert f"{root}/bas-train.zip: 0 files unpacked, 8 were there" in caplog.text
    assert "1 file in another size than published and kept" in caplog.text
    assert (root / BALL["train"][0] / "Labels-ball.json").read_text() == "corrected"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped({"../../out/Labels-ball.json": b"{}"}), "which leads out of its folder"),
        (zipped({"/out/Labels-ball.json": b"{}"}), "which leads out of its folder"),
        (zipped({"C:/out/Labels-ball.json": b"{}"}), "which means something else on some systems"),
        (zipped({"a/b/c/Labels-ball.json": b"/etc/passwd"}, ("a/b/c/Labels-ball.json",)), "is a link"),
        (b"PK no zip", "no readable zip"),
        (zipped({"a/b/c/Labels-ball.json": b"{}"}).replace(b"{}", b"[]"), "is damaged"),
    ],
)
def test_a_zip_that_is_hostile_or_damaged_writes_nothing(
    content: bytes, message: str, hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.repositories[BAS].branches["main"]["bas-test.zip"] = content
    assert download("ball-2025", tmp_path / "data", "--split", "test") == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["bas-test.zip"]


def test_an_encrypted_zip_is_named_as_such(hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    content = bytearray(ball_zip("test"))
    at = 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + 8] |= 1
        at += 4
    hub.repositories[BAS].branches["main"]["bas-test.zip"] = bytes(content)
    assert download("ball-2025", tmp_path / "data", "--split", "test") == 1
    assert "is encrypted; unpack it with the password that came with your access" in capsys.readouterr().err


def test_a_path_on_the_hub_that_leads_out_is_refused(hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    video = Repository({"main": {"../train/x.json": b"{}"}})
    hub.repositories["OpenSportsLab/SNGAR-Action-Spotting-Video"] = video
    assert download("sngar-2022", tmp_path / "a" / "data", "--split", "train") == 1
    assert "which leads out of its folder: it is not downloaded" in capsys.readouterr().err
    assert not (tmp_path / "a" / "train").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tennis"], "tennis: nothing to download is known for it; there is some for soccernet-v2, ball-2023"),
        (["soccernet-v2", "--what", "bidu"], "--what: 'bidu' is unknown; did you mean baidu?"),
        (["soccernet-v2", "--split", "val"], "split 'val' is unknown; did you mean valid?"),
    ],
)
def test_what_is_misspelt(words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert download(words[0], tmp_path, *words[1:]) == 2
    assert message in capsys.readouterr().err


def test_a_root_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert download("soccernet-v2", tmp_path / "file") == 2
    assert "is a file; give a folder" in capsys.readouterr().err


def test_the_table_is_packaged() -> None:
    assert TABLE.parent.name == "assets"
