"""The champion's bundle in memory, exchanged whole when another version becomes champion.

A request takes one `ServedModel` and keeps it to its end, so that no answer mixes two versions. Whether it is still
the champion's is one indexed read a request; a new one is loaded by the first request that needs it, while requests
that took the old one before go on undisturbed. A bundle that is damaged or refused leaves the old one serving; a
process that has just begun takes the latest champion before it that loads, so that all processes serve the same.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from models.bundle import Bundle, load_bundle
from models.exceptions import ModelError
from service.exceptions import ModelUnavailableError
from store import registry

__all__ = ["BundleCache", "ServedModel"]

_OTHERS_KEPT = 2
# Seconds after which a bundle that could not be loaded is tried again: it may have been on its way.
_REFUSED_FOR = 10.0


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model version, loaded and ready.

    Attributes
    ----------
    version : int
        In the registry.
    bundle_hash : str
        Hexadecimal, as registered.
    bundle : Bundle
    calendar : LocalCalendar
        Cuts days as in training.
    """

    version: int
    bundle_hash: str
    bundle: Bundle
    calendar: LocalCalendar

    @property
    def caveats(self) -> list[str]:
        """What every forecast of the model has to be read with."""
        return list(self.bundle.report.get("caveats", ()))


@dataclass(frozen=True, slots=True)
class _Refusal:
    at: float  # by the cache's clock
    version: int
    why: str


class BundleCache:
    """Holds the loaded bundle of the champion, and a few others that were asked for by version.

    Parameters
    ----------
    directory : Path
        Holds one folder a bundle.
    warm_up : callable
        Called with a model before it serves its first request, so that none waits for compiled code.
    clock : callable
        Seconds; a bundle that was refused is tried again once `_REFUSED_FOR` have passed.
    """

    def __init__(
        self, directory: Path, *, warm_up: Callable[[ServedModel], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._warm_up = warm_up
        self._loading = threading.Lock()
        self._others: OrderedDict[int, ServedModel] = OrderedDict()
        # Each is replaced as a whole, which other threads see at once; the lock is for loading only.
        self._held: ServedModel | None = None
        self._refused: _Refusal | None = None

    def current(self, session: Session, *, retry: bool = False) -> ServedModel:
        """Return the champion, or the last version that could be loaded where the champion's bundle is refused.

        Parameters
        ----------
        session : Session
        retry : bool
            Whether to try a bundle again at once that was refused before, in case its files are whole again; by itself
            it is tried every few seconds. Without an older one to fall back on it is always tried.

        Raises
        ------
        ModelUnavailableError
            There is no champion, or its bundle is refused, and so are those of all champions before it.
        """
        champion = registry.champion_version(session)
        if champion is None:
            raise ModelUnavailableError("No model has been trained and promoted yet. Run: regulars train")
        held = self._held
        if held is not None and (held.version == champion or (self._is_refused(champion) and not retry)):
            return held
        with self._loading:
            held = self._held
            # Another thread may have tried while this one waited.
            if held is not None and (held.version == champion or (self._is_refused(champion) and not retry)):
                return held
            return self._load(session, champion)

    def of_version(self, session: Session, version: int) -> ServedModel:
        """Return a version, champion or not; a few of those asked for last are kept.

        Raises
        ------
        ModelUnavailableError
            It can't be loaded.
        """
        held = self._held
        if held is not None and held.version == version:
            return held
        with self._loading:
            if version not in self._others:
                try:
                    self._others[version] = self._read(session, version, warm=False)
                except ModelError as error:
                    raise ModelUnavailableError(f"Version {version} can't be loaded: {error}") from error
            self._others.move_to_end(version)
            while len(self._others) > _OTHERS_KEPT:
                self._others.popitem(last=False)
            return self._others[version]

    def warning(self, session: Session) -> str | None:
        """Say why the champion does not serve; None if it does, or was not asked for yet."""
        refused = self._refused
        champion = registry.aliases(session).get("champion")
        return refused.why if refused is not None and refused.version == champion else None

    def _is_refused(self, version: int) -> bool:
        refused = self._refused
        return refused is not None and refused.version == version and self._clock() < refused.at + _REFUSED_FOR

    def _load(self, session: Session, version: int) -> ServedModel:
        try:
            self._held, self._refused = self._read(session, version), None
        except ModelError as error:
            refused = _Refusal(self._clock(), version, f"Version {version} is champion, but can't be served: {error}")
            if self._held is None:
                self._held = self._read_before(session, version)
            self._refused = refused
            if self._held is None:
                raise ModelUnavailableError(refused.why) from error
        return self._held

    def _read_before(self, session: Session, version: int) -> ServedModel | None:
        """Read the latest champion before a version that can be read."""
        for before in registry.champions_before(session, version):
            try:
                return self._read(session, before)
            except ModelError:
                continue
        return None

    def _read(self, session: Session, version: int, *, warm: bool = True) -> ServedModel:
        row = registry.find_version(session, str(version))
        bundle = load_bundle(self._directory / row.bundle, expected_hash=row.bundle_hash)
        model = ServedModel(version, row.bundle_hash, bundle, LocalCalendar(bundle.timezone))
        if warm:
            self._warm_up(model)
        return model
