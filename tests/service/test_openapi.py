"""The OpenAPI document, and that the service keeps to it whatever it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from service import access
from service.app import create_app
from service.routers import tracking
from store.engine import Database
from store.training_request import TrainingRequest
from tests.service.conftest import Bundles
from tests.service.keys import make_keys
from tests.service.live import live
from tests.service.shop import settings_for

EXAMPLES = 5
BEYOND_A_SCHEMA = (
    "/v1/at-risk",
    # Which parts go together is not for a schema to say, nor which names are taken.
    "/v1/campaigns",
    "/v1/campaigns/{campaign_id}/assignments",
    "/v1/campaigns/{campaign_id}/adopt",
    "/v1/changes",
    "/v1/customers/{customer_id}/changes",
    "/v1/segments/{name}/customers",
    "/v1/propensities/{target}",
    "/v1/scoring-runs",
    "/v1/training-runs",
    "/v1/score",
    "/v1/what-if",
    "/v1/customers/{customer_id}/what-if",
    "/v1/webhooks",
    "/v1/webhooks/{webhook_id}/deliveries",
    "/v1/webhooks/{webhook_id}/replay",
    # Hours are written without a fraction; to a schema 70.0 is an integer too.
    "/v1/webhooks/{webhook_id}/rotate-secret",
    # Their bodies are as others have specified them.
    *sorted(tracking.PATHS),
)


def _document() -> dict[str, Any]:
    # Composing an app opens nothing, so that any address will do.
    return create_app(settings_for("sqlite:///never-opened.db", Path())).openapi()


DOCUMENT = _document()
OPERATIONS = [(method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations]


def _takes_bad_input(method: str, path: str) -> bool:
    """Whether there is input that is wrong by the document: not where it takes nothing, or any text in its path."""
    operation = DOCUMENT["paths"][path][method.lower()]
    return "{customer_id}" not in path and bool(operation.get("parameters") or operation.get("requestBody"))


CASES = [
    *((method, path, GenerationMode.POSITIVE) for method, path in OPERATIONS),
    *((method, path, GenerationMode.NEGATIVE) for method, path in OPERATIONS if _takes_bad_input(method, path)),
]


@dataclass(frozen=True)
class Served:
    """A service that asks for keys."""

    root: str
    secrets: dict[str, str]

    def headers(self, operation: dict[str, Any]) -> dict[str, str]:
        """Return what a caller shows who may do an operation."""
        if "security" not in operation:
            return {}
        (scope,) = operation["security"][0]["basic"]
        return {"Authorization": f"Bearer {self.secrets[scope]}"}


@pytest.fixture(scope="module")
def served(shops: Callable[[], str], bundles: Bundles) -> Iterator[Served]:
    settings = settings_for(shops(), bundles.directory, requests_per_second_per_key=1e6)
    database = Database(settings.database_url)
    secrets = make_keys(database)
    database.close()
    with pytest.MonkeyPatch.context() as patch:
        # Each operation is tried with keys that are none, to see that this is noticed.
        patch.setattr(access, "_UNKNOWN_PER_SECOND", 1e6)
        with live(settings) as root:
            yield Served(root, secrets)


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_schemathesis_finds_no_answer_that_the_document_does_not_foresee(
    served: Served, method: str, path: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    headers = served.headers(DOCUMENT["paths"][path][method.lower()])
    # That a cursor is ours, and instants within the calendar and in their order, is not for a schema to say.
    excluded: list[schemathesis.CheckFunction] | None = [positive_data_acceptance] if path in BEYOND_A_SCHEMA else []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        with requests.Session() as session:
            response = case.call(base_url=served.root, session=session, headers=headers)
            case.validate_response(response, excluded_checks=excluded)

    ask()


def test_every_field_of_every_answer_and_request_is_described() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, content in schema.get("properties", {}).items():
            assert content.get("description"), f"{name}.{field}"


def test_every_route_and_every_parameter_is_described() -> None:
    for method, path in OPERATIONS:
        operation = DOCUMENT["paths"][path][method.lower()]
        assert operation["description"]
        assert all(parameter["description"] for parameter in operation.get("parameters", []))


def test_errors_are_problems_with_their_own_media_type() -> None:
    for method, path in OPERATIONS:
        for status, response in DOCUMENT["paths"][path][method.lower()]["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (method, path, status)
    assert "HTTPValidationError" not in DOCUMENT["components"]["schemas"]


def test_a_training_is_asked_for_as_on_the_command_line() -> None:
    fields = DOCUMENT["components"]["schemas"]["TrainingRequest"]["properties"]
    assert set(fields) == set(TrainingRequest.model_fields)
