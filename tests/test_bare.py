"""Networks, arrays, the engine and training do without what only commands, videos and reports need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT

BLOCKED = ("hydra", "omegaconf", "av", "simplejpeg", "orjson", "plotly", "wandb", "pandas", "huggingface_hub")
RUN = f"""
import sys
from pathlib import Path
for name in {BLOCKED}:
    sys.modules[name] = None  # whoever imports it gets an ImportError
import test_scores, test_steps
folder = Path(sys.argv[1])
for name in ("transformer", "calf", "calf_image", "grounding", "grounding_calf", "netvlad", "e2e_spot"):
    test_steps.test_a_step_changes_the_weights_on_the_device(name, folder)
test_scores.test_whole_halves_are_those_of_the_cpu("transformer")
"""


def test_a_step_and_the_engine_need_no_other_packages(tmp_path: Path) -> None:
    """So the tests in tests/gpu run where little more than torch is installed."""
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "tests" / "gpu")])
    env = os.environ | {"GPU_TESTS_DEVICE": "cpu", "PYTHONPATH": path}
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
