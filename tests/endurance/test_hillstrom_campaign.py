"""All of Hillstrom's randomised e-mails as a campaign: the published effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.engine import Database
from tests.data.hillstrom_campaign import MENS, WOMENS, effect_on_visits


def test_the_effect_on_all_customers_is_the_published_one(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    found, _ = effect_on_visits(database, database_url, tmp_path, None)
    # published-numbers.md: 18.28 % with men's mail, 15.14 % with women's, 10.62 % with none; 1.4226, 1.0772, .6528.
    assert found["held_out"]["rate"]["estimate"] == pytest.approx(0.1062, abs=5e-5)
    assert found["held_out"]["mean_value"] == pytest.approx(0.6528, abs=5e-5)
    arms = {arm["arm"]: arm for arm in found["arms"]}
    for name, rate, points, value in ((MENS, 0.1828, 7.66, 1.4226), (WOMENS, 0.1514, 4.52, 1.0772)):
        arm = arms[name]
        assert arm["rate"]["estimate"] == pytest.approx(rate, abs=5e-5)
        assert 100 * arm["difference"]["estimate"] == pytest.approx(points, abs=0.005)
        assert 100 * arm["difference"]["low"] < points < 100 * arm["difference"]["high"]
        assert arm["mean_value"] == pytest.approx(value, abs=5e-5)
        assert arm["sample"]["is_enough"]
    assert sum(arm["n"] for arm in found["arms"]) + found["held_out"]["n"] == 64_000
    assert found["adoption"]["policy_version"] is None
