"""Where webhooks may go: which addresses a URL can have, and which hosts are the public internet.

Whoever may add an endpoint names an address that our own network is asked for. What stands in that network, the machine
itself and the metadata of a cloud included, must not be reached that way, by whatever name or notation.
"""

from __future__ import annotations

import socket
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["LONGEST_URL", "Target", "is_public", "literal_address", "split_url"]

LONGEST_URL = 2_000
_PORTS = {"http": 80, "https": 443}

# Of the registries of special-purpose addresses of IANA: all that is not global unicast, or stands for what is not.
_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # behind a carrier's address translation
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local; metadata of clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved; broadcast
        ),
    )
)
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "3fff::/20",  # documentation
        ),
    )
)
# Which bits of an IPv6 address are an IPv4 address that it leads to: the network, and how far from the right.
_CARRIERS = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)


class Target(NamedTuple):
    """What of a URL a request needs.

    Attributes
    ----------
    scheme : {"http", "https"}
    host : str
        Without the brackets of an IPv6 address.
    port : int
    path : str
        With the query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """What the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def split_url(url: str) -> Target:
    """Take a URL apart; raises `ValueError` with what was expected if nothing can be sent there.

    Examples
    --------
    >>> split_url("https://hooks.example.com/regulars?shop=1")
    Target(scheme='https', host='hooks.example.com', port=443, path='/regulars?shop=1')
    """
    if len(url) > LONGEST_URL:
        raise ValueError(f"expected a URL of at most {LONGEST_URL:,} characters")
    if not all("!" <= letter <= "~" for letter in url) or "\\" in url:
        raise ValueError("expected a URL in printable ASCII, names in their xn-- form and the rest percent-encoded")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("expected a URL with a port from 1 to 65535, if it names one") from error
    if parts.scheme not in _PORTS or not host:
        raise ValueError("expected a URL that begins with https:// or http:// and names a host")
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user name and password; the signature says who sends")
    if "#" in url:
        raise ValueError("expected a URL without a fragment, which is never sent")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("expected a URL with a port from 1 to 65535, if it names one")
    if len(host) > 253 or "%" in host:
        raise ValueError("expected a host of at most 253 letters, digits, hyphens and dots, or an address")
    path = parts.path or "/"
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], f"{path}?{parts.query}" if parts.query else path)


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is in itself, None of a name.

    Examples
    --------
    >>> literal_address("127.1"), literal_address("0x7f000001"), literal_address("example.com")
    (IPv4Address('127.0.0.1'), IPv4Address('127.0.0.1'), None)
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        # Decimal, octal, hexadecimal and shortened forms, as resolvers take them.
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, AddressValueError):
        return None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is global unicast, and so is any that it carries.

    Examples
    --------
    >>> [is_public(ip_address(text)) for text in ("1.1.1.1", "10.0.0.1", "::ffff:10.0.0.1", "2606:4700::1111")]
    [True, False, False, True]
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id is not None:
        return False
    for network, bits in _CARRIERS:
        if address in network:
            return is_public(IPv4Address((int(address) >> bits) & 0xFFFFFFFF))
    return address in _GLOBAL_UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)
