"""Segment policies as versions, and the cut-offs kept for each model under each."""

from __future__ import annotations

import pytest

from store.engine import Database
from store.exceptions import StoreError
from store.policies import add_policy, current_policy, ensure_policy, read_cutoffs, write_cutoffs
from tests.store.builders import NOW, add_model

STRICT = {"save_rate": 0.1, "contact_cost": 5, "min_upsell_propensity": None}
LAX = {**STRICT, "contact_cost": 0.5}


def test_before_any_policy_it_is_said_how_to_get_one(database: Database) -> None:
    with (
        database.read() as session,
        pytest.raises(StoreError, match=r"No segment policy is stored yet\. Run: regulars"),
    ):
        current_policy(session)


def test_the_same_policy_again_keeps_its_version_and_another_is_in_force_from_then_on(database: Database) -> None:
    versions = []
    for policy in (STRICT, dict(reversed(STRICT.items())), LAX, STRICT):
        with database.write() as session:
            versions.append(add_policy(session, policy, now=NOW))
    assert versions == [1, 1, 2, 3]
    with database.read() as session:
        assert current_policy(session) == (3, STRICT)


def test_the_default_is_put_in_force_only_where_there_is_no_policy(database: Database) -> None:
    for default in (STRICT, LAX):
        with database.write() as session:
            assert ensure_policy(session, default, now=NOW) == (1, STRICT)


def test_cutoffs_are_kept_as_first_found_for_each_model_under_each_policy(database: Database) -> None:
    add_model(database)
    found = {"at_risk_value": 0.1 + 0.2, "high_value_clv": 1e-300, "upsell_propensity": None}
    with database.write() as session:
        for policy in (STRICT, LAX):
            add_policy(session, policy, now=NOW)
        assert read_cutoffs(session, model_version=1, policy_version=1) is None
        write_cutoffs(session, found, model_version=1, policy_version=1)
    with database.write() as session:
        write_cutoffs(session, {"at_risk_value": 9.0}, model_version=1, policy_version=1)
        write_cutoffs(session, {"at_risk_value": 2.0}, model_version=1, policy_version=2)
    with database.read() as session:
        assert read_cutoffs(session, model_version=1, policy_version=1) == found
        assert read_cutoffs(session, model_version=1, policy_version=2) == {"at_risk_value": 2.0}
