"""Telling a worker to stop after it has looked for work some times."""

from __future__ import annotations

from threading import Event, current_thread

__all__ = ["StopAfter"]


class StopAfter(Event):
    """An event that is set once the thread that made it has waited on it so often; others wait as on any.

    Parameters
    ----------
    looks : int
    """

    def __init__(self, looks: int = 1) -> None:
        super().__init__()
        self._left = looks
        self._of = current_thread()

    def wait(self, timeout: float | None = None) -> bool:
        if current_thread() is not self._of:
            return super().wait(timeout)
        self._left -= 1
        if not self._left:
            self.set()
        return self.is_set()
