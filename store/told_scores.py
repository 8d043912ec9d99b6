"""What each endpoint was told last of customers' scores: the next score is compared with that, not with the one before.

Otherwise a score that moves in many steps below the threshold would never be told, and `before` would be a number that
the receiver has not seen. Almost every score moves a little from run to run, so that a row is written of a customer
when its score first moves, and stays as it is until it has moved far enough to be told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from store.bulk_load import load
from store.bulk_read import driver_of, errors_of, read_blocks
from store.customer_keys import among, conditions
from store.outbox import NUMBERS_TOLD, Audience, Endpoint, Numbers

__all__ = ["ComparedScores", "compare"]

# .5 to .4 is a change of .1, though not in binary fractions.
_ROUNDING = 1e-9

_KEYS_A_STATEMENT = 500
_COLUMNS = ("customer_key", "endpoint_id", *NUMBERS_TOLD)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM told_score WHERE customer_key"


@dataclass(slots=True)
class ComparedScores:
    """What follows from a comparison of scores with what was told last.

    Attributes
    ----------
    told : dict of key to list of (before, endpoints)
        Of which customers a change is to be told, and to which endpoints: one entry for all that know the same.
    removed : dict of key to list of int
        By customer the endpoints whose rows go.
    written : dict of key to list of (endpoint, numbers)
        By customer the rows to be written, after those that go.
    """

    told: dict[int, list[tuple[Numbers, list[int]]]] = field(default_factory=dict)
    removed: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    written: dict[int, list[tuple[int, Numbers]]] = field(default_factory=lambda: defaultdict(list))

    def n_rows(self) -> Counter[int]:
        """Return how many rows are to be written or removed of each customer, those of the outbox included."""
        counted = Counter({key: sum(1 + len(only) for _, only in told) for key, told in self.told.items()})
        for rows in (self.removed, self.written):
            counted.update({key: len(of_customer) for key, of_customer in rows.items()})
        return counted

    def write(self, session: Session, keys: Collection[int]) -> None:
        """Write down what was told last, in the transaction that tells it.

        Parameters
        ----------
        session : Session
        keys : collection of int
            The customers who are held: of others nothing is written.
        """
        connection = session.connection()
        removed: dict[int, list[int]] = defaultdict(list)
        for key in sorted(self.removed.keys() & keys):
            for endpoint_id in self.removed[key]:
                removed[endpoint_id].append(key)
        with errors_of(connection):
            for endpoint_id, of_customers in sorted(removed.items()):
                for start in range(0, len(of_customers), _KEYS_A_STATEMENT):
                    some = among(of_customers[start : start + _KEYS_A_STATEMENT])
                    statement = f"DELETE FROM told_score WHERE endpoint_id = {endpoint_id} AND customer_key {some}"
                    driver_of(connection).execute(statement)
        rows = [
            (key, endpoint_id, *(numbers[name] for name in NUMBERS_TOLD))
            for key in sorted(self.written.keys() & keys)
            for endpoint_id, numbers in self.written[key]
        ]
        if rows:
            load(connection, "told_score", _COLUMNS, list(zip(*rows, strict=True)))


def compare(
    session: Session, scores: Mapping[int, tuple[Numbers | None, Numbers | None]], audience: Audience
) -> ComparedScores:
    """Compare new scores of customers with what each endpoint was told last.

    A number that there was none of when told last is compared with the first one since, and one that has vanished is
    not compared until there is one again: as a customer comes to have a number, or loses it, it enters or leaves a
    segment, and that is told.

    Parameters
    ----------
    session : Session
    scores : mapping of key to (before, after)
        By `NUMBERS_TOLD`: the score before, which is what was told last where nothing else is written down, and the new
        one. Where one of the two is missing nothing is told, and what was told last counts no more.
    audience : Audience

    Returns
    -------
    ComparedScores
        Nothing is written yet.
    """
    known = _read(session, scores)
    compared = ComparedScores()
    endpoints = audience.of_scores
    unheard = {endpoint_id for rows in known.values() for endpoint_id in rows}
    unheard.difference_update(endpoint.endpoint_id for endpoint in endpoints)
    nothing: dict[int, Numbers] = {}
    for key, (before, after) in scores.items():
        rows = known.get(key, nothing)
        if before is None or after is None:
            if rows:
                compared.removed[key] += rows
            continue
        if unheard:
            # Of endpoints that have been deleted.
            gone = unheard & rows.keys()
            if gone:
                compared.removed[key] += sorted(gone)
        if before == after and not rows:
            continue
        _compare(compared, key, rows, before, after, endpoints)
    return compared


def _compare(
    compared: ComparedScores,
    key: int,
    rows: Mapping[int, Numbers],
    before: Numbers,
    after: Numbers,
    endpoints: Sequence[Endpoint],
) -> None:
    told: list[tuple[Numbers, list[int]]] = []
    for endpoint in endpoints:
        row = rows.get(endpoint.endpoint_id)
        reference = before if row is None else row
        if not endpoint.is_disabled and _exceeds(endpoint.thresholds, reference, after):
            alike = next((to for numbers, to in told if numbers == reference), None)
            if alike is None:
                told.append((reference, [endpoint.endpoint_id]))
            else:
                alike.append(endpoint.endpoint_id)
            following = after
        else:
            following = _completed(reference, after)
        # Compared by value: what is stored again as it was told is no difference.
        stays = None if following == after else following
        if stays == row:
            continue
        if row is not None:
            compared.removed[key].append(endpoint.endpoint_id)
        if stays is not None:
            compared.written[key].append((endpoint.endpoint_id, stays))
    if told:
        compared.told[key] = told


def _exceeds(thresholds: Mapping[str, float], before: Numbers, after: Numbers) -> bool:
    for name, threshold in thresholds.items():
        was, is_now = before.get(name), after.get(name)
        if was is not None and is_now is not None and abs(is_now - was) >= threshold - _ROUNDING:
            return True
    return False


def _completed(reference: Numbers, after: Numbers) -> Numbers:
    """Return what was told last, with those numbers as they are now that there were none of."""
    if None not in reference.values():
        return reference
    return {name: after[name] if number is None else number for name, number in reference.items()}


def _read(session: Session, keys: Collection[int]) -> dict[int, dict[int, Numbers]]:
    """Return what is written down, by customer and endpoint."""
    found: dict[int, dict[int, Numbers]] = defaultdict(dict)
    for some in conditions(list(keys)):
        for rows in read_blocks(session, f"{_SELECT} {some}"):
            for key, endpoint_id, *numbers in rows:
                if key in keys:
                    found[key][endpoint_id] = dict(zip(NUMBERS_TOLD, numbers, strict=True))
    return found
