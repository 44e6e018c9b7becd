"""Words of a command line: paths as typed, whatever they hold, and keys without the marks of Hydra's grammar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from spotter.interpolation import escape, unescape

PATHS = (
    "ckpt",
    "input",
    "out",
    "data.root",
    "data.labels",
    "data.out_of_fold",
    "data.pseudo",
    "data.task",
    "model.init_from",
    "model.weights",
)
TEXTS = (*PATHS, "trust", "format", "periods", "game", "label_set")  # values that are taken as typed
SPLITS = r"data\.splits\.\w+"  # which may be the path of a file
OF_LABELS = r"data\.joint\.[\w-]+\.(?:root|labels|task)"  # paths of other label sets
QUOTED = re.compile(r"'.*'|\".*\"|\['.*'\]|null", re.DOTALL)


def key_of(word: str) -> str:
    """Return the key of an override, without ``+`` and ``~``."""
    return word.partition("=")[0].lstrip("+~")


def quote(word: str) -> str:
    """Quote the value of an override that holds a path, so that Hydra takes it as typed.

    What is quoted already stays: users who know Hydra do it themselves, and started processes see it again.
    """
    match = re.fullmatch(rf"({'|'.join((OF_LABELS, *map(re.escape, TEXTS)))})=(.*)", word, re.DOTALL)
    if match is None or not match[2] or QUOTED.fullmatch(match[2]) or (match[1] == "trust" and match[2][0] == "["):
        return word
    return f"{match[1]}={hydra_string(match[2])}"


def unquote(value: str) -> str:
    """Return the text that a quoted string of Hydra's grammar stands for; any other value stays."""
    if len(value) > 1 and value[0] == value[-1] == "'":
        text = re.sub(r"(\\*)('|$)", lambda m: m[1][: len(m[1]) // 2] + m[2], value[1:-1])
        return unescape(text)
    return value


def hydra_string(text: str) -> str:
    """Return ``text`` as a quoted string of Hydra's grammar, which stands for exactly this text."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), escape(text))
    return f"'{escaped}'"


def from_folder(word: str, folder: str) -> str:
    """Return an override whose relative path, if it is one, was typed in ``folder``, with the whole path."""
    key, _, value = word.partition("=")
    path = Path(folder, unquote(value))
    named = key in PATHS or re.fullmatch(f"{OF_LABELS}|{SPLITS}", key)
    if not named or value == "null" or Path(unquote(value)).is_absolute() or not path.exists():
        return word  # a task may be the name of one that ships with spotter
    return f"{key}={hydra_string(str(path.absolute()))}"


def gather_inputs(words: Sequence[str]) -> list[str]:
    """Turn several ``input=…``, each quoted, into one list of them."""
    given = [word.removeprefix("input=") for word in words if word.startswith("input=")]
    if len(given) < 2:
        return list(words)
    return [*(word for word in words if not word.startswith("input=")), f"input=[{','.join(given)}]"]
