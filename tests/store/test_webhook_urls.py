"""Where webhooks may go: forms of URLs, forms of addresses, and what is public."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from store.exceptions import WebhookTargetError
from store.webhook_request import require_public
from store.webhook_urls import Target, is_public, literal_address, split_url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://crm.example.com", Target("https", "crm.example.com", 443, "/")),
        ("http://crm.example.com:8080/a?b=c&d", Target("http", "crm.example.com", 8080, "/a?b=c&d")),
        ("https://[2606:4700::1111]:444/x", Target("https", "2606:4700::1111", 444, "/x")),
        ("HTTPS://Crm.Example.com/A", Target("https", "crm.example.com", 443, "/A")),
        ("https://crm.example.com:65535/", Target("https", "crm.example.com", 65535, "/")),
    ],
)
def test_a_url_is_taken_apart(url: str, target: Target) -> None:
    assert split_url(url) == target


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://a.example/", "a.example"),
        ("https://a.example:443/", "a.example"),
        ("https://a.example:80/", "a.example:80"),
        ("http://[2606:4700::1111]:81/", "[2606:4700::1111]:81"),
    ],
)
def test_the_header_host_names_the_port_where_it_is_not_the_usual_one(url: str, header: str) -> None:
    assert split_url(url).host_header == header


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "begins with https"),
        ("ftp://a.example/", "begins with https"),
        ("file:///etc/passwd", "begins with https"),
        ("//a.example/", "begins with https"),
        ("https:///path", "names a host"),
        ("https://", "names a host"),
        ("https://user@a.example/", "without user name"),
        ("https://user:pass@a.example/", "without user name"),
        ("https://@a.example/", "without user name"),
        ("https://a.example/#part", "without a fragment"),
        ("https://a.example/#", "without a fragment"),
        ("https://a.example:0/", "port from 1 to 65535"),
        ("https://a.example:65536/", "port from 1 to 65535"),
        ("https://a.example:x/", "port from 1 to 65535"),
        ("https://a.example:/", "port from 1 to 65535"),
        ("https://[::1/", "port from 1 to 65535"),
        ("https://a.example/ x", "printable ASCII"),
        ("https://a.example\\@b.example/", "printable ASCII"),
        ("https://a.example/\n", "printable ASCII"),
        ("https://１２７.0.0.1/", "printable ASCII"),
        ("https://a%2eexample/", "expected a host"),
        (f"https://{'a' * 254}/", "expected a host"),
        (f"https://a.example/{'a' * 2000}", "at most 2,000"),
    ],
)
def test_a_url_to_which_nothing_can_be_sent_is_refused_with_what_was_expected(url: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        split_url(url)


PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
    "0.0.0.0",  # noqa: S104  # which stands for this machine
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.1.2.3",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
    "2001:0:7f00:1::1",
    "2001:0:808:808::f7f7:f7f7",
    "2001:db8::1",
    "2001:10::1",
    "2001:2::1",
    "3fff::1",
    "100::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_global_unicast_or_carries_such_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


def test_nothing_is_public_that_the_standard_library_says_is_not() -> None:
    chance = random.Random(0)
    samples = [IPv4Address(chance.getrandbits(32)) for _ in range(20_000)]
    judged = [(is_public(address), address.is_global and not address.is_multicast) for address in samples]
    assert [judgement for judgement in judged if judgement == (True, False)] == []
    # What we refuse beyond it is a few small networks.
    assert sum(ours != theirs for ours, theirs in judged) < 100
    for _ in range(20_000):
        address = IPv6Address(chance.getrandbits(128))
        assert not is_public(address) or address.is_global


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:7f00:1]",
        "[fe80::1]",
        "0",
        "10.1",
        "169.254.169.254",
        "localhost",
        "localhost.",
        "a.localhost",
    ],
)
def test_a_url_whose_host_is_private_in_any_notation_is_refused_when_it_is_asked_for(host: str) -> None:
    with pytest.raises(WebhookTargetError, match="Expected a host on the public internet, got "):
        require_public(f"http://{host}/hooks")


@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", "134744072", "[2606:4700::1111]", "localhost.example.com"])
def test_a_url_whose_host_is_a_name_or_public_is_taken(host: str) -> None:
    require_public(f"https://{host}/hooks")


def test_only_addresses_are_addresses() -> None:
    for name in ("example.com", "1.2.3.4.5", "0x", "", "1.2.3.256", "face", "10.com"):
        assert literal_address(name) is None, name
