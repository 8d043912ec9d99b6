"""The client of webhooks: receivers that do whatever they like, and addresses that may not be reached."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.receivers import Handler, Receiver, receiver, reply, says, unused_port
from tests.store.test_webhook_urls import PRIVATE
from training.webhook_client import Answer, WebhookClient
from training.webhook_message import Message

BODY = b'{"type":"webhook.test"}'


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as it:
        yield it


def _send(url: str, client: WebhookClient | None = None) -> Answer:
    message = Message(url, {"content-type": "application/json", "webhook-id": "msg_1"}, BODY)
    return (client or WebhookClient(allow_private=True)).send(message)


def test_a_request_is_a_post_with_its_headers_its_host_and_its_query(there: Receiver) -> None:
    assert _send(f"{there.url}?shop=1") == Answer(200)
    (came,) = there.received
    assert (came.path, came.body) == ("/hooks?shop=1", BODY)
    assert came.headers["host"] == f"127.0.0.1:{there.port}"
    assert came.headers["content-length"] == str(len(BODY))
    assert came.headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize("status", [200, 204, 299, 301, 302, 307, 308, 400, 404, 410, 500, 503])
def test_a_status_is_told_as_it_came_and_no_redirect_is_followed(there: Receiver, status: int) -> None:
    there.answer = lambda *_: reply(status, location=there.url + "/elsewhere")
    assert _send(there.url) == Answer(status)
    assert len(there.received) == 1


def test_retry_after_is_handed_on(there: Receiver) -> None:
    there.answer = lambda *_: reply(429, retry_after="120")
    assert _send(there.url) == Answer(429, retry_after="120")


def test_a_proxy_of_the_environment_is_not_asked(there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    assert _send(there.url) == Answer(200)


def test_a_receiver_that_is_down_refuses_the_connection() -> None:
    assert _send(f"http://127.0.0.1:{unused_port()}/") == Answer(None, "The connection was refused.")


def test_a_receiver_that_takes_no_connections_is_given_up_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        began = time.monotonic()
        client = WebhookClient(allow_private=True, seconds_to_connect=0.2)
        answer = _send(f"http://127.0.0.1:{full.getsockname()[1]}/", client)
        assert answer == Answer(None, "No connection within 0.2 s.")
        assert time.monotonic() - began < 5
        for each in waiting:
            each.close()


def _trickle(there: Receiver, before: bytes, drop: bytes) -> None:
    """Have it say something and then go on, a little every 20 ms, for ever."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(before)
        while not there.done.wait(0.02):
            handler.wfile.write(drop)

    there.answer = lambda *_: answer


@pytest.mark.parametrize(
    ("before", "drop"),
    [
        (b"", b""),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "status", "headers", "one header", "interim answers"],
)
def test_a_receiver_that_never_ends_its_headers_is_cut_off_in_time(there: Receiver, before: bytes, drop: bytes) -> None:
    _trickle(there, before, drop)
    began = time.monotonic()
    answer = _send(there.url, WebhookClient(allow_private=True, seconds_in_all=0.4))
    assert time.monotonic() - began < 5
    assert (answer.status, answer.error) in (
        (None, "No answer within 0.4 s."),
        (None, "What came is not an answer of HTTP."),  # more headers than anybody needs, before the time is over
    )


@pytest.mark.parametrize("status", [200, 500])
def test_a_status_counts_though_the_body_trickles_for_ever(
    there: Receiver, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.webhook_client._SECONDS_FOR_THE_REST", 0.2)
    _trickle(there, f"HTTP/1.1 {status} Well\r\n\r\n".encode(), b"x")
    began = time.monotonic()
    assert _send(there.url) == Answer(status)
    assert time.monotonic() - began < 5


def test_a_huge_body_is_read_in_its_first_64_kilobytes_only(there: Receiver) -> None:
    written: list[int] = []

    def answer(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        with suppress(OSError):
            while not there.done.is_set():
                handler.wfile.write(b"x" * 65_536)
                written.append(65_536)

    there.answer = lambda *_: answer
    began = time.monotonic()
    assert _send(there.url) == Answer(200)
    assert time.monotonic() - began < 5
    # What was written beyond stands in the buffers of the two sockets.
    assert sum(written) < 50_000_000


def test_a_receiver_that_closes_in_the_middle_has_not_answered_or_has_if_its_status_came(there: Receiver) -> None:
    said = [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"SMTP ready\r\n\r\n"]
    there.answer = lambda number, _: says(said[number])
    answers = [_send(there.url) for _ in said]
    assert answers[0] == Answer(None, "The connection was closed before an answer came.")
    assert answers[1].status is None
    assert answers[2] == Answer(200)
    assert answers[3] == Answer(None, "What came is not an answer of HTTP.")


def test_odd_headers_of_an_answer_put_no_url_into_the_log(
    there: Receiver, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = b"HTTP/1.1 200 OK\r\nno colon here\r\nX: y\r\n\r\n"
    there.answer = lambda *_: says(odd)
    assert _send(f"{there.url}?token=hidden").status == 200
    assert "hidden" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_is_sent_to_a_name_that_leads_to_what_is_not_public(address: str) -> None:
    client = WebhookClient(allow_private=False, resolve=lambda *_: [address])
    answer = _send("http://hooks.example.com/", client)
    assert answer.status is None
    assert f"The host leads to {address}, which is this machine, a private network or reserved." in (answer.error or "")


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    client = WebhookClient(allow_private=False, resolve=lambda *_: ["8.8.8.8", "10.0.0.1"])
    assert "leads to 10.0.0.1" in (_send("http://hooks.example.com/", client).error or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]"])
def test_nothing_reaches_this_machine_by_any_notation(there: Receiver, host: str) -> None:
    answer = _send(f"http://{host}:{there.port}/", WebhookClient(allow_private=False))
    assert answer.status is None
    assert "Nothing was sent" in (answer.error or "") or "can't be looked up" in (answer.error or "")
    assert there.received == []


def test_a_name_is_looked_up_once_and_exactly_what_was_checked_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, there: Receiver
) -> None:
    looked_up: list[str] = []
    connected: list[tuple[str, int]] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        looked_up.append(host)
        # At the second look the name leads home.
        return ["93.184.215.14"] if len(looked_up) == 1 else ["127.0.0.1"]

    def connect(_socket: socket.socket, place: tuple[str, int]) -> None:
        connected.append(place)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    answer = _send(f"http://rebinding.example.com:{there.port}/", WebhookClient(allow_private=False, resolve=resolve))
    assert answer == Answer(None, "The connection was refused.")
    assert looked_up == ["rebinding.example.com"]
    assert connected == [("93.184.215.14", there.port)]
    assert there.received == []


def test_the_host_header_keeps_the_name_and_the_next_address_is_tried_if_one_does_not_answer(there: Receiver) -> None:
    client = WebhookClient(allow_private=True, resolve=lambda *_: ["127.0.0.2", "127.0.0.1"])
    assert _send(f"http://hooks.example.com:{there.port}/", client) == Answer(200)
    assert there.received[0].headers["host"] == f"hooks.example.com:{there.port}"


def test_a_name_that_can_not_be_looked_up_is_said_to_be_so_without_naming_it() -> None:
    def fail(host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    def endless(_host: str, _port: int) -> Sequence[str]:
        time.sleep(1)
        return ["127.0.0.1"]

    answer = _send("http://a.example/", WebhookClient(allow_private=True, resolve=fail))
    assert answer == Answer(None, "The host can't be looked up: Name or service not known.")
    slow = WebhookClient(allow_private=True, resolve=endless, seconds_in_all=0.1)
    assert _send("http://a.example/", slow) == Answer(None, "No answer within 0.1 s.")
    empty = WebhookClient(allow_private=True, resolve=lambda *_: [])
    assert _send("http://a.example/", empty) == Answer(None, "The host has no address.")
    assert "no name that can be looked up" in (_send(f"http://{'a' * 64}.example/").error or "")


def _certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_tls_is_verified_against_the_name_and_whom_one_trusts(tmp_path: Path) -> None:
    file = _certificate(tmp_path, "hooks.example.com")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.create_default_context(cafile=file)
    with receiver(tls=server) as there:

        def client(tls: ssl.SSLContext | None) -> WebhookClient:
            return WebhookClient(allow_private=True, resolve=lambda *_: ["127.0.0.1"], tls=tls)

        assert _send(f"https://hooks.example.com:{there.port}/", client(trusting)) == Answer(200)
        assert names == ["hooks.example.com"]
        other = _send(f"https://other.example.com:{there.port}/", client(trusting))
        untrusted = _send(f"https://hooks.example.com:{there.port}/", client(None))
        assert other.error is not None
        assert "is not trusted: Hostname mismatch" in other.error
        assert untrusted.error is not None
        assert "is not trusted: self-signed certificate" in untrusted.error
        assert len(there.received) == 1
    with receiver() as plain:
        answer = _send(plain.url.replace("http:", "https:"))
        assert (answer.error or "").startswith("TLS could not be agreed on")


def test_a_receiver_that_stalls_the_handshake_is_cut_off_in_time() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        client = WebhookClient(allow_private=True, seconds_in_all=0.3)
        began = time.monotonic()
        answer = _send(f"https://127.0.0.1:{listening.getsockname()[1]}/", client)
        assert answer == Answer(None, "No answer within 0.3 s.")
        assert time.monotonic() - began < 5
