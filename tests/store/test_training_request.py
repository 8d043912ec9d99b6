"""What a training can be asked for."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from store.training_request import TrainingRequest


def test_the_activity_window_is_twice_the_horizon_unless_given() -> None:
    assert TrainingRequest(horizon_days=30).activity_window_days == 60
    assert TrainingRequest(horizon_days=30, activity_days=45).activity_window_days == 45


def test_a_request_survives_the_queue() -> None:
    request = TrainingRequest(horizon_days=60, as_of=date(1998, 7, 1), seed=7)
    assert TrainingRequest.model_validate(request.model_dump(mode="json")) == request


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"horizon_days": 0}, "horizon_days\n.*greater than or equal to 1"),
        ({"activity_days": 7301}, "activity_days\n.*less than or equal to 7300"),
        ({"seed": 2**31}, "seed\n.*less than or equal to 2147483647"),
        ({"horizon": 30}, "horizon\n.*not permitted"),
    ],
)
def test_a_wrong_request_names_the_field_and_what_was_expected(wrong: dict[str, int], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        TrainingRequest.model_validate(wrong)
