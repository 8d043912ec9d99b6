"""The body of a request as it came, gunzipped, within limits; whatever its content type says.

Clients of tracking APIs label their bodies as they like, gzip among them, so gzip is known by how it begins.
"""

from __future__ import annotations

import zlib

from starlette.requests import Request

from service.exceptions import BodyTooLargeError, BrokenGzipError

__all__ = ["gunzipped", "is_gzip", "read_raw_body"]

_GZIP = b"\x1f\x8b"
_WITH_GZIP_HEADER = 16 + zlib.MAX_WBITS
# What comes behind the end of a member is copied, so of a body of very many members little is looked at at once; and
# what comes out stands twice in memory for a moment, so that is little too.
_BYTES_AT_ONCE = 4_096
_BYTES_OUT_AT_ONCE = 65_536


async def read_raw_body(request: Request, *, most_bytes: int) -> bytes:
    """Read a body; raises `BodyTooLargeError` as soon as more came than is taken."""
    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > most_bytes:
            raise BodyTooLargeError(most_bytes)
    return bytes(received)


def is_gzip(body: bytes) -> bool:
    """Whether a body begins as gzip does, and JSON never."""
    return body.startswith(_GZIP)


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
    if not is_gzip(body):
        return body
    unpacked = bytearray()
    member = None
    for start in range(0, len(body), _BYTES_AT_ONCE):
        rest = body[start : start + _BYTES_AT_ONCE]
        while rest:
            member = member or zlib.decompressobj(_WITH_GZIP_HEADER)
            try:
                unpacked += member.decompress(rest, min(most_bytes + 1 - len(unpacked), _BYTES_OUT_AT_ONCE))
            except zlib.error as error:
                raise BrokenGzipError from error
            if len(unpacked) > most_bytes:
                raise BodyTooLargeError(most_bytes)
            rest = member.unused_data or member.unconsumed_tail
            if member.eof:
                member = None
    if member is not None:
        raise BrokenGzipError
    return bytes(unpacked)
