"""What short runs of the commands leave, compared with what they left before; nothing of the package is imported.

  python tests/golden/record.py                      compare every case with expected.json
  python tests/golden/record.py transformer resume   compare some
  python tests/golden/record.py --write              write expected.json again (named cases: only theirs)

Do this only where numbers are meant to change, and say why in the commit.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))  # for a call by the file's name
from tests.golden.compared import compare, differences, machine  # noqa: E402

EXPECTED = Path(__file__).with_name("expected.json")
FOREIGN = ("SOCCERNET_ROOT", "SPOTTER_DEBUG", "PL_", "WANDB_", "SLURM_", "HYDRA_")
TOP = 40  # most confident predictions that are written out

RUN = [
    "trainer=cpu",
    "trainer.precision=32-true",
    "trainer.max_epochs=2",
    "trainer.check_val_every_n_epoch=1",
    "logger=none",
    "seed=1",
]
FEATURES = [
    "data=demo",
    "data.root=demo",
    "data.demo.games=[1,1,1]",
    "data.demo.minutes=4",
    "data.width=32",
    "data.source.streams.demo.groups=[8,8,1,7,8]",
    "data.batch_size=8",
]
VIDEO = [
    "data=demo_video",
    "data.root=demo-video",
    "data.demo.games=[1,1,1]",
    "data.demo.minutes=1",
    "data.size=[32,56]",
    "data.batch_size=2",
    "model.pretrained=false",
    "model.clips.clip_len=32",
    "model.clips.per_epoch=8",
    "model.network.backbone=resnet18",
    "++model.network.backbone_args={layers:[1,1,1,1],channels:[8,16,16,32],stem_type:deep,stem_width:8}",
]
MODELS = {
    "linear": [*FEATURES, "model.clips.per_epoch=16"],
    "maxpool": [*FEATURES, "model.network.dim=32"],
    "netvlad": [*FEATURES, "model.network.dim=32", "model.network.clusters=8"],
    "netvladpp": [*FEATURES, "model.network.dim=32", "model.network.clusters=8"],
    "calf": [*FEATURES, "model.clips.per_epoch=16"],
    "window_transformer": [*FEATURES, "model.network.layers=1", "model.warmup=5"],
    "rms": [*FEATURES, "model.network.dim=32", "model.network.width=64", "model.clips.per_epoch=64"],
    "ste": [*FEATURES],
    "unet": [*FEATURES, "model.network.cap=64", "model.clips.per_epoch=16"],
    "astra": [*FEATURES],
    "transformer": [
        *FEATURES,
        "model.network.dim=32",
        "model.network.dropout=0.1",
        "model.mixup={alpha:2.0,probability:0.5}",
        "model.clips.per_epoch=32",
    ],
    "e2e_spot": VIDEO,
    "e2e_spot_dense": VIDEO,
}
OTHERS = ("predict", "own_input", "evaluate", "resume")
CASES = (*MODELS, *OTHERS)

# A callback of a user's own, as Hydra takes it: Ctrl-C as the second epoch begins, while GOLDEN_STOP is set.
STOP = """
import os, signal
from pytorch_lightning import Callback

class Stop(Callback):
    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == 1 and "GOLDEN_STOP" in os.environ:
            os.kill(os.getpid(), signal.SIGINT)
"""


class Golden:
    """Run commands in one folder, where they share a demo and the run of each model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: dict[str, Path] = {}

    def command(self, *words: str, status: int = 0, **variables: str) -> str:
        """Run a command and return its standard error."""
        first = ["-m", "spotter"] if words[0] == "spotter" else [str(PROJECT / words[0])]
        ours = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        found = os.pathsep.join([str(PROJECT), str(self.folder)])
        done = subprocess.run(
            [sys.executable, *first, *words[1:]],
            cwd=self.folder, capture_output=True, text=True, timeout=300, check=False,
            env={**ours, "OMP_NUM_THREADS": "1", "PYTHONPATH": found, **variables},
        )  # fmt: skip
        if done.returncode != status:
            raise AssertionError(f"{' '.join(words)}: ended with {done.returncode}\n{done.stderr[-4000:]}")
        return done.stderr

    def run(self, model: str) -> Path:
        """Return the finished run of a model."""
        if model not in self.runs:
            self.command("train.py", f"model={model}", *RUN, *MODELS[model])
            (self.runs[model],) = self.folder.glob(f"outputs/{model}-*/*")
        return self.runs[model]

    def predict(self, out: str, *words: str) -> Path:
        """Predict with the transformer."""
        best = self.run("transformer") / "checkpoints" / "best.ckpt"
        self.command("predict.py", f"ckpt={best}", f"out={out}", "trainer.precision=32-true", *words)
        return self.folder / out

    def observe(self, case: str) -> dict[str, Any]:
        """Return what a case leaves, as it stands in ``expected.json``."""
        return getattr(self, f"_{case}")() if case in OTHERS else trained(self.run(case))

    def _predict(self) -> dict[str, Any]:
        one = self.predict("one", "split=test", "trainer=cpu")
        two = self.predict("two", "split=test", "trainer=ddp_cpu", "trainer.devices=2")
        names = [str(path.relative_to(one)) for path in sorted(one.rglob("results_spotting.json"))]
        assert names
        for name in [*names, "metrics.json"]:
            assert (one / name).read_bytes() == (two / name).read_bytes(), f"2 ranks: {name} differs from that of 1"
        return {"metrics": json.loads((one / "metrics.json").read_text("utf-8")), "predictions": predictions(one)}

    def _own_input(self) -> dict[str, Any]:
        rows = np.random.default_rng(0).normal(size=(90, 32)).astype(np.float16)
        np.save(self.folder / "1_own.npy", rows)
        return {"predictions": predictions(self.predict("own", "input=1_own.npy", "trainer=cpu"))}

    def _evaluate(self) -> dict[str, Any]:
        run = self.run("transformer")
        self.command("spotter", "evaluate", "demo", str(run / "predictions/test"), "--split=test", "--json=scores.json")
        scores = json.loads((self.folder / "scores.json").read_text("utf-8"))
        own = json.loads((run / "predictions/test/metrics.json").read_text("utf-8"))
        same = differences({key: value for key, value in scores.items() if key in own}, own, 1e-9)
        assert not same, f"evaluate and the run's own metrics.json: {same}"
        return {"scores": scores}

    def _resume(self) -> dict[str, Any]:
        undisturbed = self.run("transformer")
        (self.folder / "golden_stop.py").write_text(STOP, encoding="utf-8")
        name = "run_dir=outputs/transformer-demo/9999-stopped"
        stop = "+callbacks.stop._target_=golden_stop.Stop"  # said again below: code is not taken from a run's folder
        words = ["model=transformer", *RUN, *MODELS["transformer"], stop]
        self.command("train.py", *words, f"hydra.{name.replace('_', '.')}", status=130, GOLDEN_STOP="1")
        run = self.folder / name.removeprefix("run_dir=")
        assert len(rows_of(run)) == 1, "one epoch was done"
        assert not (run / "metrics.json").exists()
        self.command("train.py", "model=transformer", "ckpt=last", stop)
        for file in ("metrics.csv", "metrics.json"):
            ours, theirs = ((each / file).read_bytes() for each in (run, undisturbed))
            assert ours == theirs, f"the resumed run's {file} differs from that of an undisturbed one"
        return {"rows": rows_of(run)}


def trained(run: Path) -> dict[str, Any]:
    """Return what a run of ``train.py`` left."""
    files = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    return {
        "files": [name for name in files if not name.startswith(".hydra")],
        "rows": rows_of(run),
        "metrics": json.loads((run / "metrics.json").read_text("utf-8")),
        "predictions": predictions(run / "predictions" / "test"),
    }


def rows_of(run: Path) -> list[dict[str, str]]:
    """Return the rows of ``metrics.csv``, numbers as text."""
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def predictions(folder: Path) -> dict[str, Any]:
    """Return how many predictions there are, a hash over all, and the most confident.

    Confidences count to 5 significant digits, so that it does not matter with how many they were written.
    """
    entries = []
    for path in sorted(folder.rglob("results_spotting.json")):
        for each in json.loads(path.read_text("utf-8"))["predictions"]:
            confidence = float(f"{float(each['confidence']):.5g}")
            entries.append([each["label"], int(each["half"]), int(each["position"]), confidence])
    entries.sort(key=lambda entry: (-entry[3], *entry[:3]))
    digest = hashlib.sha256(json.dumps(sorted(entries)).encode()).hexdigest()
    return {"count": len(entries), "sha256": digest, "top": entries[:TOP]}


def write(content: Mapping[str, Any]) -> None:
    """Write ``expected.json``, one line for each part of a case."""
    cases = []
    for case in sorted(content["cases"], key=CASES.index):
        parts = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in content["cases"][case].items()]
        cases.append(f" {json.dumps(case)}: {{\n" + ",\n".join(parts) + "\n }")
    text = f'{{"machine": {json.dumps(content["machine"])},\n"cases": {{\n' + ",\n".join(cases) + "\n}}\n"
    EXPECTED.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all of {', '.join(CASES)}")
    parser.add_argument("--write", action="store_true", help="write expected.json instead of comparing with it")
    given = parser.parse_args(arguments)
    wanted = given.cases or CASES
    if unknown := sorted(set(wanted) - set(CASES)):
        parser.error(f"no case {unknown[0]!r}")
    content = json.loads(EXPECTED.read_text("utf-8")) if EXPECTED.is_file() else {"machine": machine(), "cases": {}}
    same = content["machine"] == machine()
    if given.write and given.cases and not same:
        parser.error("expected.json is of another machine or torch: write all cases, or none")
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        golden = Golden(Path(folder))
        for case in wanted:
            found = golden.observe(case)
            if given.write:
                content["cases"][case] = found
                print(f"{case}: recorded")  # noqa: T201
                continue
            told = compare(content["cases"].get(case, {}), found, same)
            print(f"{case}: {'as expected' if not told else f'{len(told)} differences'}", *told[:10], sep="\n  ")  # noqa: T201
            status = status or bool(told)
    if given.write:
        content["machine"] = machine()
        write(content)
    return status


if __name__ == "__main__":
    sys.exit(main())
