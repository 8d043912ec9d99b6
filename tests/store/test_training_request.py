"""What a training can be asked for."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from store.exceptions import StoreError
from store.training_request import TrainingRequest


def test_the_activity_window_is_twice_the_horizon_unless_given() -> None:
    assert TrainingRequest(horizon_days=30).activity_window_days == 60
    assert TrainingRequest(horizon_days=30, activity_days=45).activity_window_days == 45


def test_a_request_survives_the_queue() -> None:
    request = TrainingRequest(horizon_days=60, as_of=date(1998, 7, 1), seed=7)
    assert TrainingRequest.model_validate(request.model_dump(mode="json")) == request


def test_a_horizon_to_be_found_survives_the_queue_and_is_no_number_before_it_is() -> None:
    request = TrainingRequest(horizon_days="auto")
    assert TrainingRequest.model_validate(request.model_dump(mode="json")) == request
    with pytest.raises(StoreError, match="expected a number of days, got auto"):
        _ = request.activity_window_days
    assert TrainingRequest.model_validate({"horizon_days": "60"}).horizon == 60


def test_the_schema_offers_days_or_auto() -> None:
    offered = TrainingRequest.model_json_schema()["properties"]["horizon_days"]["anyOf"]
    assert {"maximum": 1825, "minimum": 1, "type": "integer"} in offered
    assert {"const": "auto", "type": "string"} in offered


@pytest.mark.parametrize("wrong", [0, 1826, "0", "soon", "+5", 1.5, True, False, None, [1], {}])
def test_a_horizon_that_is_neither_days_nor_auto_is_refused_in_the_same_words(wrong: object) -> None:
    with pytest.raises(
        ValidationError, match=r"horizon_days\n.*expected a whole number of days from 1 to 1825, or 'auto'"
    ):
        TrainingRequest.model_validate({"horizon_days": wrong})


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"activity_days": 7301}, "activity_days\n.*less than or equal to 7300"),
        ({"seed": 2**31}, "seed\n.*less than or equal to 2147483647"),
        ({"horizon": 30}, "horizon\n.*not permitted"),
    ],
)
def test_a_wrong_request_names_the_field_and_what_was_expected(wrong: dict[str, int | str], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        TrainingRequest.model_validate(wrong)
