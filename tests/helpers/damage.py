"""Damage documents and bytes in the ways that files get damaged, or are made to be."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

ODD: list[Any] = [
    None, True, False, -1, 0, 1, 3, 65, 2**63, -(2**70), 1e308, -0.0, 1e-320, float("nan"), float("inf"), 0.5, "", " ",
    "0", "-1", "9" * 30, "9" * 5_000, "1e5", "nan", "inf", "１２", "\0", "../../x", "/etc/passwd", "C:\\x", "NUL",
    "a\nb", "é", "\ud800", "x" * 300, "x" * 20_000, "1 - 00:10", "9 - 99:99", "train", "Goal", "visible", [], {}, [[]],
    [[[[[[]]]]]], {"a": {"b": []}}, [None], ["a", 1], {"_target_": "os.system"}, {"": ""}, [0] * 50, "${oc.env:HOME}",
    "_target_", "*", "&a", "!!python/name:os",
]  # fmt: skip
JUNK = (b"[", b"{", b'"', b"\\u0000", b"\xff", b"\0" * 9, b"1e999", b"NaN", b"\n", b": ")


def damage(document: Any, random: Random, most: int = 3) -> Any:
    """Return a copy of a document of which some values were replaced, taken out, doubled, renamed or moved."""
    whole = [copy.deepcopy(document)]
    for _ in range(random.randint(1, most)):
        holder, key = _choose(whole, random)
        way = random.randrange(6)
        if way == 0 and isinstance(holder, dict):
            holder[random.choice([str(random.choice(ODD)), *map(str, holder)])[:300]] = holder.pop(key)
        elif way == 1 and holder is not whole:
            del holder[key]
        elif way == 2 and isinstance(holder, list) and holder is not whole:
            holder.insert(key, copy.deepcopy(holder[key]))
        elif way == 3:
            other, place = _choose(whole, random)
            holder[key] = copy.deepcopy(other[place])
        else:
            holder[key] = copy.deepcopy(random.choice(ODD))
    return whole[0]


def damage_bytes(content: bytes, random: Random, most: int = 4) -> bytes:
    """Return bytes of which some were changed, taken out, doubled, or cut off."""
    damaged = bytearray(content)
    for _ in range(random.randint(1, most)):
        at, length = random.randrange(len(damaged) + 1), random.choice((1, 1, 2, 8, 64))
        way = random.randrange(6)
        if way == 0:
            damaged[at : at + 1] = bytes([random.randrange(256)])
        elif way == 1:
            del damaged[at : at + length]
        elif way == 2:
            damaged[at:at] = damaged[at : at + length]
        elif way == 3:
            damaged[at:at] = random.choice(
                (b"[", b"{", b'"', b"\\u0000", b"\xff", b"\0" * 9, b"1e999", b"NaN", b"\n", b": ")
            )
        elif way == 4 and random.random() < 0.3:
            del damaged[at:]
        elif damaged:
            damaged[at - 1] ^= 1 << random.randrange(8)
    return bytes(damaged)


def _choose(whole: list[Any], random: Random) -> tuple[Any, Any]:
    """Return a container within a document, and a key of it."""
    holder, key = whole, 0
    while isinstance(holder[key], dict | list) and holder[key] and random.random() < 0.85:
        holder = holder[key]
        key = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
    return holder, key
