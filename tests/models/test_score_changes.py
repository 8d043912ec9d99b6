"""Why the scores of one customer moved between two instants."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from features.targets import CHURN
from features.windows import Snapshot
from models.exceptions import InputError
from models.score_changes import CLV, score_changes
from models.scoring import Scores, score
from tests.shop import AS_OF, PROSPECTS, shop_log, shop_training

EARLIER = AS_OF - timedelta(days=45)


def _scores(row: int, instant: object = AS_OF) -> Scores:
    log, bundle = shop_log(), shop_training().bundle
    return score(bundle, bundle.policy, bundle.cutoffs, log.take([row]), {}, Snapshot.at(instant, log.calendar))  # type: ignore[arg-type]


def _judged_at_both() -> int:
    log, bundle = shop_log(), shop_training().bundle
    found = [
        score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(at, log.calendar)) for at in (EARLIER, AS_OF)
    ]
    return int(np.flatnonzero(found[0].eligible & found[1].eligible)[5])


def test_the_reasons_of_each_change_sum_to_the_movement_of_the_stored_number() -> None:
    row = _judged_at_both()
    before, now = _scores(row, EARLIER), _scores(row)
    changes = score_changes(before, now)
    assert set(changes) == {CHURN, "upsell", CLV}
    for name, change in changes.items():
        total = sum(reason.contribution for reason in change.reasons) + change.other
        assert total == pytest.approx(change.now - change.before, abs=1e-6)
        of_score = (
            (before.clv[0], now.clv[0])
            if name == CLV
            else (before.targets[name].raw_margin[0], now.targets[name].raw_margin[0])
        )
        assert [change.before, change.now] == pytest.approx(list(of_score), rel=1e-9, abs=1e-9)


def test_nothing_is_said_of_a_score_that_there_was_none_of() -> None:
    prospect = shop_log().customer_ids.index(PROSPECTS[0])
    assert score_changes(_scores(prospect, EARLIER), _scores(prospect)) == {}
    long_before_the_shop = _scores(3, EARLIER.replace(year=2020))
    assert score_changes(long_before_the_shop, _scores(3)) == {}


def test_two_customers_are_not_compared() -> None:
    with pytest.raises(InputError, match="one customer at two instants"):
        score_changes(_scores(3), _scores(4))
