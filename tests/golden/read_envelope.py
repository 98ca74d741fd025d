"""An independent reader of envelopes, written from `docs/reference/envelope.md` alone."""

import gzip
import hmac
import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import lz4.block
import xxhash
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CIPHERS: dict[int, tuple[str, Any]] = {1: ("aes-256-gcm", AESGCM), 2: ("aes-256-gcm-siv", AESGCMSIV)}
COMPRESSIONS = ["none", "lz4", "zstd", "gzip"]


class Refused(Exception):
    """These bytes are no value of this key."""


@dataclass(frozen=True)
class Binding:
    tenant: bytes
    namespace: str
    function: str
    schema: str
    key: bytes

    def fields(self) -> list[bytes]:
        texts = (self.namespace, self.function, self.schema)
        return [self.tenant, *(text.encode() for text in texts), self.key]


def joined(fields: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(field)) + field for field in fields)


def derived(master: bytes, purpose: str, binding: Binding) -> bytes:
    prk = hmac.digest(b"everwarm/kdf/v1", master, "sha256")
    info = joined([purpose.encode(), binding.tenant, binding.namespace.encode()])
    return HKDFExpand(SHA256(), 32, info).derive(prk)


def opened_body(envelope: bytes, binding: Binding, masters: dict[int, bytes]) -> bytes:
    """The body, proven to be undamaged and of this key."""
    if len(envelope) < 16 or envelope[:4] != b"\xc1EW\x01":
        raise Refused("foreign, or of another version")
    suite, _flags, _reserved, key_id, length = struct.unpack_from("<BBHII", envelope, 4)
    header = envelope[:16]
    if suite == 0:
        identity, checksum, body = envelope[16:32], envelope[32:48], envelope[48:]
        if xxhash.xxh3_128_digest(header + identity + body) != checksum or len(body) != length:
            raise Refused("damaged")
        if xxhash.xxh3_128_digest(joined(binding.fields())) != identity:
            raise Refused("misplaced")
        return body
    associated = joined([header, *binding.fields()])
    if suite == 3:
        mac, body = envelope[16:48], envelope[48:]
        key = derived(masters[key_id], "mac", binding)
        if not hmac.compare_digest(hmac.new(key, associated + body, sha256).digest(), mac):
            raise Refused("tampered")
        return body
    purpose, cipher = CIPHERS[suite]
    salt, commitment, sealed = envelope[16:48], envelope[48:80], envelope[80:]
    parent = derived(masters[key_id], purpose, binding)
    message = HKDFExpand(SHA256(), 64, b"msg/v1" + salt).derive(parent)
    if not hmac.compare_digest(message[32:], commitment):
        raise Refused("tampered")
    try:
        plain: bytes = cipher(message[:32]).decrypt(bytes(12), sealed, associated)
    except InvalidTag as error:
        raise Refused("tampered") from error
    return plain


class Body:
    """Reads a body from its front."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> Any:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def sized(self) -> bytes:
        length = self.take("H")
        self.at += length
        return self.data[self.at - length : self.at]


def decompressed(method: str, packed: bytes, length: int) -> bytes:
    if method == "lz4":
        return bytes(lz4.block.decompress(packed, uncompressed_size=length))
    if method == "zstd":
        return bytes(zstandard.ZstdDecompressor().decompress(packed, max_output_size=length))
    if method == "gzip":
        return gzip.decompress(packed)
    return packed


def read_envelope(envelope: bytes, binding: Binding, masters: dict[int, bytes]) -> dict[str, Any]:
    """What an envelope says, and its payload."""
    body = Body(opened_body(envelope, binding, masters))
    value_format, method, parts, length, computed_in = body.take("BBHIQ")
    if parts >> 8:
        raise Refused("of another version")
    meta: dict[str, Any] = {"format": value_format, "computed_in": computed_in}
    for bit, (name, absent) in enumerate({"fresh": None, "quiet": None, "stale": 0, "if_error": 0}.items()):
        meta[name] = body.take("Q") if parts >> bit & 1 else absent
    meta["stamps"] = [list(body.take("HQQ")) for _ in range(body.take("B"))] if parts & 16 else []
    meta["tags"] = [body.sized().decode() for _ in range(body.take("B"))] if parts & 32 else []
    meta["key"] = body.sized().hex() if parts & 64 else None
    if parts & 128:
        meta["slide"] = list(body.take("QQQ"))
    packed = body.data[body.at + -body.at % 8 :]
    payload = decompressed(COMPRESSIONS[method], packed, length)
    if len(payload) != length:
        raise Refused("damaged")
    return {"compression": COMPRESSIONS[method], "meta": meta, "payload": payload}
