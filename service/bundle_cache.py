"""The champion's bundle in memory, exchanged whole when another version becomes champion.

A request takes one `ServedModel` and keeps it to its end, so that no answer mixes two versions. Whether it is still
the champion's is one indexed read a request; a new one is loaded by the first request that needs it, while requests
that took the old one before go on undisturbed. A bundle that is damaged or refused leaves the old one serving.
"""

from __future__ import annotations

import threading
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


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model version, loaded and ready.

    Attributes
    ----------
    version : int
        In the registry.
    bundle : Bundle
    calendar : LocalCalendar
        Cuts days as in training.
    """

    version: int
    bundle: Bundle
    calendar: LocalCalendar

    @property
    def caveats(self) -> list[str]:
        """What every forecast of the model has to be read with."""
        return list(self.bundle.report.get("caveats", ()))


@dataclass(frozen=True, slots=True)
class _Refusal:
    version: int
    why: str


class BundleCache:
    """Holds at most one loaded bundle, that of the champion.

    Parameters
    ----------
    directory : Path
        Holds one folder a bundle.
    warm_up : callable
        Called with a model before it serves its first request, so that none waits for compiled code.
    """

    def __init__(self, directory: Path, *, warm_up: Callable[[ServedModel], None]) -> None:
        self._directory = directory
        self._warm_up = warm_up
        self._loading = threading.Lock()
        # Each is replaced as a whole, which other threads see at once; the lock is for loading only.
        self._held: ServedModel | None = None
        self._refused: _Refusal | None = None

    def current(self, session: Session, *, retry: bool = False) -> ServedModel:
        """Return the champion, or the last version that could be loaded where the champion's bundle is refused.

        Parameters
        ----------
        session : Session
        retry : bool
            Whether to try a bundle again that was refused before, in case its files are whole again. Without an older
            one to fall back on it is always tried.

        Raises
        ------
        ModelUnavailableError
            There is no champion, or its bundle is refused and no other was loaded before.
        """
        champion = registry.aliases(session).get("champion")
        if champion is None:
            raise ModelUnavailableError("No model has been trained and promoted yet. Run: regulars train")
        held = self._held
        if held is not None and (held.version == champion or (self._is_refused(champion) and not retry)):
            return held
        with self._loading:
            if self._held is not None and self._held.version == champion:
                return self._held
            return self._load(session, champion)

    def warning(self, session: Session) -> str | None:
        """Say why the champion does not serve; None if it does, or was not asked for yet."""
        refused = self._refused
        champion = registry.aliases(session).get("champion")
        return refused.why if refused is not None and refused.version == champion else None

    def _is_refused(self, version: int) -> bool:
        return self._refused is not None and self._refused.version == version

    def _load(self, session: Session, version: int) -> ServedModel:
        row = registry.find_version(session, str(version))
        try:
            bundle = load_bundle(self._directory / row.bundle, expected_hash=row.bundle_hash)
        except ModelError as error:
            self._refused = _Refusal(version, f"Version {version} is champion, but can't be served: {error}")
            if self._held is None:
                raise ModelUnavailableError(self._refused.why) from error
            return self._held
        model = ServedModel(version, bundle, LocalCalendar(bundle.timezone))
        self._warm_up(model)
        self._held, self._refused = model, None
        return model
