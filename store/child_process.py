"""Processes that were begun to help another one, and are of no use without it."""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from threading import Thread

__all__ = ["end_with_parent"]


def end_with_parent() -> None:
    """End this process when the one that began it is gone, however that was; and not before.

    Who interrupts a program by the keyboard interrupts its children too, which would end amid what is asked of them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
