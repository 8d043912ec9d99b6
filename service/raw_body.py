"""The body of a request as it came, gunzipped, within limits; whatever its content type says.

Clients of tracking APIs label their bodies as they like, gzip among them, so gzip is known by how it begins.
"""

from __future__ import annotations

import zlib

from starlette.requests import Request

from service.exceptions import BodyTooLargeError, BrokenGzipError

__all__ = ["gunzipped", "read_raw_body"]

_GZIP = b"\x1f\x8b"
_WITH_GZIP_HEADER = 16 + zlib.MAX_WBITS


async def read_raw_body(request: Request, *, most_bytes: int) -> bytes:
    """Read a body; raises `BodyTooLargeError` as soon as more came than is taken."""
    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > most_bytes:
            raise BodyTooLargeError(most_bytes)
    return bytes(received)


def gunzipped(body: bytes, *, most_bytes: int) -> bytes:
    """Return a body without gzip.

    Parameters
    ----------
    body : bytes
        Perhaps gzip; else it is returned as it is.
    most_bytes : int
        Of what is returned; no more than that is ever unpacked.

    Raises
    ------
    BodyTooLargeError
        It would be more.
    BrokenGzipError
        It begins as gzip and is none, or breaks off.
    """
    if not body.startswith(_GZIP):
        return body
    unpacked = bytearray()
    rest = body
    while rest:
        member = zlib.decompressobj(_WITH_GZIP_HEADER)
        try:
            unpacked += member.decompress(rest, most_bytes + 1 - len(unpacked))
        except zlib.error as error:
            raise BrokenGzipError from error
        if len(unpacked) > most_bytes:
            raise BodyTooLargeError(most_bytes)
        if not member.eof:
            raise BrokenGzipError
        rest = member.unused_data
    return bytes(unpacked)
