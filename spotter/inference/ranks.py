"""Processes that share one piece of work, as torch.distributed started them; without it there is only this one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from spotter.errors import UserError

T = TypeVar("T")
MEETING = timedelta(minutes=30)  # in which all ranks must have started
_open_stores: list[dist.TCPStore] = []  # type: ignore[name-defined]  # which live as long as the process
REPORTED = "spotter/reported"  # a key of the store that all ranks share


def rank_and_world() -> tuple[int, int]:
    """Return the number of this process and how many there are; (0, 1) where torch.distributed is not in use."""
    return (dist.get_rank(), dist.get_world_size()) if _several() else (0, 1)


def gather(value: T) -> list[T]:
    """Return the ``value`` of every rank on rank 0, in rank order, and nothing on the others."""
    if not _several():
        return [value]
    rank, world = rank_and_world()
    values = [value] * world if rank == 0 else []  # places for what comes
    dist.gather_object(value, values or None, dst=0)
    return values


def broadcast(value: T) -> T:
    """Return the ``value`` of rank 0 on every rank."""
    if not _several():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def exchange(outgoing: Sequence[T]) -> list[T]:
    """Send ``outgoing[r]`` to each rank r; return what the ranks sent to this one, in rank order."""
    if not _several():
        return list(outgoing)
    rank, world = rank_and_world()
    incoming = [outgoing[rank]] * world  # places for what comes
    for receiver in range(world):
        dist.gather_object(outgoing[receiver], incoming if receiver == rank else None, dst=receiver)
    return incoming


def any_rank(flag: Tensor) -> Tensor:
    """Return whether a flag () on the device is set on any rank; nothing is waited for."""
    if not _several():
        return flag
    count = flag.to(torch.int32)
    dist.all_reduce(count)
    return count > 0


def barrier() -> None:
    """Wait until every rank has come here."""
    if _several():
        broadcast(None)


def tell_all(key: str, path: str, first: bool) -> str:
    """Return the path that the first rank gives, before the ranks are a group; the others get the whole path.

    They meet in a store at MASTER_ADDR and MASTER_PORT, which torchrun or the first rank opens, and in which torch
    groups them later. Raises UserError where they do not meet.
    """
    where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    opens = first and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        store = dist.TCPStore(*where, is_master=opens, timeout=MEETING, wait_for_workers=False)  # type: ignore[attr-defined]
        _open_stores.append(store)
        if first:
            store.set(key, str(Path(path).absolute()))
        told = path if first else store.get(key).decode()
    except RuntimeError as error:
        raise UserError(f"the ranks did not meet at {where[0]}:{where[1]}: {str(error).splitlines()[0]}") from error
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"  # else torch would open the port again
    os.environ.setdefault("TORCHELASTIC_RESTART_COUNT", "0")
    return told


def report_once(rank: int, patience: float) -> bool:
    """Return whether this rank is the one to report what ended it; true of rank 0, which tells the others so.

    What ends one rank mostly ends all. Another rank waits ``patience`` seconds whether rank 0 reports, too, and
    otherwise has something to say that rank 0 has not.
    """
    store = _shared_store()
    if rank == 0:
        if store is not None:
            store.set(REPORTED, "")
        return True
    try:
        if store is not None:
            store.wait([REPORTED], timedelta(seconds=patience))
            return False
    except RuntimeError:  # nobody has reported, or rank 0 and its store are gone
        pass
    return True


def _shared_store() -> dist.TCPStore | None:  # type: ignore[name-defined]
    """Connect to the store by which the processes found each other; None where they have not."""
    if not _several() or "MASTER_ADDR" not in os.environ:
        return None
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        return dist.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=2))  # type: ignore[attr-defined]
    except RuntimeError:
        return None


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()
