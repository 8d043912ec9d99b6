"""Sources and keys: what is made, found, listed and taken back, on both engines."""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.api_keys import (
    SCOPES,
    AccessError,
    KeyInUse,
    allows,
    any_key,
    create_key,
    create_source,
    find_key,
    list_keys,
    list_sources,
    revoke_key,
    secret_hash,
)
from store.engine import Database
from tests.store.builders import NOW

MAY = {
    "events:write": {"events:write"},
    "scores:read": {"scores:read"},
    "customers:erase": {"customers:erase"},
    "contacts:write": {"contacts:write"},
    "admin": {"scores:read", "contacts:write", "customers:erase", "admin"},
}


@pytest.mark.parametrize("held", SCOPES)
def test_an_administrator_may_do_everything_but_send_events_and_others_only_their_own(held: str) -> None:
    assert {needed for needed in SCOPES if allows(held, needed)} == MAY[held]


def test_a_key_is_found_by_its_secret_of_which_only_the_hash_is_kept(database: Database) -> None:
    with database.write() as session:
        source = create_source(session, "shop")
        secret, key = create_key(session, "events:write", source="shop", now=NOW)
    assert re.fullmatch(r"rg_[A-Za-z0-9_-]{43}", secret)
    assert (key.secret_hash, key.beginning) == (sha256(secret.encode()).digest(), secret[:9])
    with database.read() as session:
        assert find_key(session, secret) == KeyInUse(key.id, "events:write", source.id, "shop")
        assert find_key(session, secret[:-1]) is None
        assert find_key(session, "\udfff\0") is None


def test_no_two_keys_are_alike(database: Database) -> None:
    with database.write() as session:
        made = [create_key(session, "admin", source=None, now=NOW) for _ in range(20)]
    assert len({secret for secret, _ in made}) == len({key.id for _, key in made}) == 20


def test_a_key_without_a_source_stands_for_its_scope_alone(database: Database) -> None:
    with database.write() as session:
        secret, key = create_key(session, "scores:read", source=None, now=NOW)
    with database.read() as session:
        assert find_key(session, secret) == KeyInUse(key.id, "scores:read", None, None)


def test_a_revoked_key_is_found_no_more_but_listed_with_when(database: Database) -> None:
    with database.write() as session:
        create_source(session, "shop")
        secret, first = create_key(session, "events:write", source="shop", now=NOW)
        _, second = create_key(session, "admin", source=None, now=NOW)
        for days in (1, 2):
            revoke_key(session, first.id, now=NOW + timedelta(days=days))
    with database.read() as session:
        assert find_key(session, secret) is None
        listed = [(key.id, source, key.revoked_at) for key, source in list_keys(session)]
    assert listed == [(first.id, "shop", NOW + timedelta(days=1)), (second.id, None, None)]


def test_once_a_key_was_made_there_is_one_even_if_it_is_revoked(database: Database) -> None:
    with database.read() as session:
        assert not any_key(session)
    with database.write() as session:
        _, key = create_key(session, "admin", source=None, now=NOW)
        revoke_key(session, key.id, now=NOW)
    with database.read() as session:
        assert any_key(session)


def test_sources_are_listed_by_name(database: Database) -> None:
    with database.write() as session:
        for name in ("shop", "app", "Ünï 客"):
            create_source(session, name)
    with database.read() as session:
        assert [source.name for source in list_sources(session)] == ["app", "shop", "Ünï 客"]


@pytest.mark.parametrize(
    ("scope", "source", "complaint"),
    [
        ("events:read", None, "Expected one of the scopes events:write, scores:read"),
        ("events:write", None, "does it for a source"),
        ("admin", "shop", "does it for a source, and no other key has one"),
        ("events:write", "other", "There is no source 'other'. Make it first: regulars sources create"),
    ],
)
def test_a_key_that_can_not_be_is_refused(database: Database, scope: str, source: str | None, complaint: str) -> None:
    with database.write() as session:
        create_source(session, "shop")
    with pytest.raises(AccessError, match=complaint), database.write() as session:
        create_key(session, scope, source=source, now=NOW)
    with database.read() as session:
        assert not any_key(session)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0b", "x" * 256])
def test_a_name_that_can_not_be_shown_is_refused(database: Database, name: str) -> None:
    with pytest.raises(AccessError, match="Expected a name of 1 to 255 characters"), database.write() as session:
        create_source(session, name)


def test_a_source_is_made_once_and_a_key_that_is_not_there_can_not_be_revoked(database: Database) -> None:
    with database.write() as session:
        create_source(session, "shop")
    with pytest.raises(AccessError, match="There is a source 'shop' already"), database.write() as session:
        create_source(session, "shop")
    with pytest.raises(AccessError, match="There is no key 7"), database.write() as session:
        revoke_key(session, 7, now=NOW)


@given(st.text(alphabet=st.characters()))
def test_any_text_can_be_tried_as_a_secret(secret: str) -> None:
    assert len(secret_hash(secret)) == 32
