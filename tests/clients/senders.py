"""The five clients, each taking the same calls: what to send is told once, how each of them says it stands here."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import posthog
    import rudderstack.analytics.client as rudder
    import segment.analytics.client as segment

__all__ = ["CLIENTS", "NODE", "PYTHON", "Call", "Sending", "clients_here", "require", "send_at_once"]

_HERE = Path(__file__).parent
# Written by npm at the end of an installation, so that half of one is none.
_INSTALLED = _HERE / "node_modules" / ".package-lock.json"

# Longer than any test's server is away.
_MOST_RETRIES = 20
_MOST_SECONDS = 60.0

_PYTHON_NAMES = {"userId": "user_id", "anonymousId": "anonymous_id", "previousId": "previous_id", "groupId": "group_id"}


class Call(NamedTuple):
    """A call, its members named as in Segment's tracking API."""

    kind: Literal["identify", "track", "page", "group", "alias"]
    message: Mapping[str, Any]


class Sending(NamedTuple):
    """What a client is to send, and how.

    Attributes
    ----------
    root : str
        Address of the server.
    key : str
        In whose name.
    calls : sequence of Call
    compressed : bool
        Whether bodies are to be gzip; Segment's client for Node has no such option.
    pause : float
        Seconds between two calls.
    """

    root: str
    key: str
    calls: Sequence[Call]
    compressed: bool
    pause: float = 0.0


def _send_by_client_of(make_client: Callable[..., Any]) -> Callable[[Sending], None]:
    def send(sending: Sending) -> None:
        failed: list[Exception] = []
        client = make_client(
            sending.key,
            host=sending.root,
            gzip=sending.compressed,
            max_retries=_MOST_RETRIES,
            on_error=lambda error, _: failed.append(error),
        )
        for kind, message in sending.calls:
            getattr(client, kind)(**{_PYTHON_NAMES.get(name, name): told for name, told in message.items()})
            time.sleep(sending.pause)
        client.shutdown()
        assert failed == []

    return send


def _send_by_posthog(sending: Sending) -> None:
    failed: list[Exception] = []
    client = posthog.Posthog(
        sending.key,
        host=sending.root,
        gzip=sending.compressed,
        max_retries=_MOST_RETRIES,
        flush_interval=0.1,
        on_error=lambda error, _: failed.append(error),
    )
    for kind, message in sending.calls:
        _say_to_posthog(client, kind, message)
        time.sleep(sending.pause)
    client.shutdown()
    assert failed == []


def _say_to_posthog(client: posthog.Posthog, kind: str, message: Mapping[str, Any]) -> None:
    who = message.get("userId") or message.get("anonymousId")
    match kind:
        case "identify":
            client.set(distinct_id=who, properties=message["traits"])
        case "alias":
            client.alias(message["previousId"], message["userId"])
        case "group":
            # Accounts are no matter of a customer's to it.
            client.set(
                distinct_id=who, properties={f"account.{name}": told for name, told in message["traits"].items()}
            )
        case "page":
            client.capture("$pageview", distinct_id=who, properties=message["properties"])
        case _:
            client.capture(message["event"], distinct_id=who, properties=message["properties"])


def _send_by_node(program: str) -> Callable[[Sending], None]:
    def send(sending: Sending) -> None:
        told = json.dumps(sending._asdict() | {"pause": sending.pause * 1000})
        done = subprocess.run(
            ["node", _HERE / program], input=told, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr

    return send


PYTHON: Mapping[str, Callable[[Sending], None]] = {
    "segment-python": _send_by_client_of(segment.Client),
    "rudderstack-python": _send_by_client_of(rudder.Client),
    "posthog-python": _send_by_posthog,
}
NODE: Mapping[str, Callable[[Sending], None]] = {
    "segment-node": _send_by_node("segment.mjs"),
    "rudderstack-node": _send_by_node("rudderstack.mjs"),
}
_SENDERS = {**PYTHON, **NODE}
CLIENTS = tuple(_SENDERS)


def clients_here() -> tuple[str, ...]:
    """Return the names of those clients that can be run on this machine."""
    return CLIENTS if _has_node() else tuple(PYTHON)


def require(client: str) -> None:
    """Skip the test where a client can't be run."""
    if client not in clients_here():
        pytest.skip("needs node, and `npm ci` in tests/clients, as .ci/run does it")


def _has_node() -> bool:
    return shutil.which("node") is not None and _INSTALLED.exists()


def send_at_once(sendings: Mapping[str, Sending]) -> None:
    """Let clients send all at the same time, and wait until each has delivered what it had.

    Parameters
    ----------
    sendings : mapping of str to Sending
        By the client's name.

    Raises
    ------
    AssertionError
        A client gave something up.
    """
    with ThreadPoolExecutor(len(sendings)) as pool:
        begun = [pool.submit(_SENDERS[name], sending) for name, sending in sendings.items()]
    for sent in begun:
        sent.result()
