"""Work that a thread does while this one goes on, in order, its errors included."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

S = TypeVar("S")
T = TypeVar("T")
AHEAD = 2  # items that may wait


class Background(Generic[S, T]):
    """Apply a function to one item after another in a thread; results come in the order of the items.

    At most ``AHEAD`` items wait; beyond that their results are waited for, so that memory stays bounded.
    An error of the function is raised in place of its result.
    """

    def __init__(self, function: Callable[[S], T]) -> None:
        self._function = function
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="spotter")
        self._pending: deque[Future[T]] = deque()

    def submit(self, item: S) -> Iterator[T]:
        """Hand an item over; return the results that are ready, which have to be taken before the next item."""
        self._pending.append(self._pool.submit(self._function, item))
        return self._results(AHEAD)

    def finish(self) -> Iterator[T]:
        """Wait for all items; return the results that are left."""
        return self._results(0)

    def close(self) -> None:
        """End the thread; items that it has not begun are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _results(self, waiting: int) -> Iterator[T]:
        while self._pending and (len(self._pending) > waiting or self._pending[0].done()):
            yield self._pending.popleft().result()


def in_background(function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Yield ``function(item)`` in order, each computed in a thread while the next items are produced."""
    with Background(function) as work:
        for item in items:
            yield from work.submit(item)
        yield from work.finish()
