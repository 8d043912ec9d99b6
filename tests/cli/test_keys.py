"""`regulars sources` and `regulars keys`: made, shown once, listed, taken back."""

from __future__ import annotations

import re

import pytest
import typer

from cli.serve import refuse_without_keys
from store.api_keys import find_key
from store.settings import load_settings
from tests.cli.conftest import At, Regulars


def test_a_key_of_a_source_is_made_printed_alone_listed_by_its_beginning_and_revoked(
    regulars: Regulars, at: At
) -> None:
    shop = at("untrained")
    assert "The source is there." in regulars("sources", "create", "web [shop]").out
    assert "web [shop]" in regulars("sources", "list").out
    made = regulars("keys", "create", "--source", "web [shop]", "--scope", "events:write")
    secret = made.out.removesuffix("\n")
    assert re.fullmatch(r"rg_[A-Za-z0-9_-]{43}", secret)
    assert "Key 1, shown this once. To take it back: regulars keys revoke 1" in made.err
    with shop.database.read() as session:
        found = find_key(session, secret)
        assert found is not None
        assert (found.scope, found.source) == ("events:write", "web [shop]")
    listed = regulars("keys", "list").out
    assert secret[:9] in listed
    assert secret[:10] not in listed
    assert "web [shop]" in listed
    assert regulars("keys", "revoke", 1).out == "Key 1 is revoked.\n"
    with shop.database.read() as session:
        assert find_key(session, secret) is None
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", regulars("keys", "list").out)) == 2


@pytest.mark.parametrize("scope", ["scores:read", "customers:erase", "admin"])
def test_a_key_of_no_source_is_made(regulars: Regulars, at: At, scope: str) -> None:
    shop = at("untrained")
    secret = regulars("keys", "create", "--scope", scope).out.strip()
    with shop.database.read() as session:
        found = find_key(session, secret)
    assert found is not None
    assert (found.scope, found.source_id) == (scope, None)


def test_what_can_not_be_made_or_found_is_said_in_one_line(regulars: Regulars, at: At) -> None:
    at("untrained")
    told = regulars("keys", "create", "--scope", "events:write", "--source", "nobody").complaint()
    assert told == "There is no source 'nobody'. Make it first: regulars sources create NAME"
    assert "does it for a source" in regulars("keys", "create", "--scope", "events:write").complaint()
    assert "no other key has one" in regulars("keys", "create", "--scope", "admin", "--source", "x").complaint()
    assert "Expected one of the scopes" in regulars("keys", "create", "--scope", "all").complaint()
    assert "There is no key 7." in regulars("keys", "revoke", 7).complaint()
    regulars("sources", "create", "shop")
    assert "There is a source 'shop' already." in regulars("sources", "create", "shop").complaint()


def test_with_a_key_the_service_may_listen_anywhere(regulars: Regulars, at: At) -> None:
    shop = at("untrained")
    settings = load_settings(host="0.0.0.0")  # noqa: S104  # with keys it may
    with pytest.raises(typer.Exit):
        refuse_without_keys(shop.database, settings)
    regulars("keys", "create", "--scope", "scores:read")
    refuse_without_keys(shop.database, settings)
