"""The file around a backup: chunks that cannot be changed, cut, or put in another order without being noticed.

With a key, chunks are sealed by AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár, 2015):
the nonce holds the chunk's number and whether it is the last. Without one, each carries a checksum over the same.
"""

import base64
import hashlib
import io
import json
import os
import struct
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from endy.errors import ValidationFailed

MAGIC = b"ENDY-BACKUP 1\n"
CHUNK = 256 * 1024
_TAG = 16
_LONGEST_HEAD = 4096
_SCRYPT = {"n": 2**15, "r": 8, "p": 1}
_LENGTH = struct.Struct(">I")
_NUMBER = struct.Struct(">IB")


class BackupDamaged(ValidationFailed):
    message = "백업 파일이 온전하지 않아요. 다른 백업을 써 주세요."


class WrongKey(ValidationFailed):
    message = "백업의 암호 키가 맞지 않아요. 백업할 때 쓴 키를 주세요."


class _Seal:
    """Opens and closes chunks; `head` is bound to each of them."""

    def __init__(self, head: bytes, key: str | None, salt: bytes) -> None:
        self._head = head
        self._prefix = salt[:7]
        self._cipher = AESGCM(Scrypt(salt, 32, **_SCRYPT).derive(key.encode())) if key else None

    def close(self, number: int, last: bool, chunk: bytes) -> bytes:
        told = _NUMBER.pack(number, last)
        if self._cipher is not None:
            return self._cipher.encrypt(self._prefix + told, chunk, self._head)
        return chunk + hashlib.sha256(self._head + told + chunk).digest()[:_TAG]

    def open(self, number: int, last: bool, sealed: bytes) -> bytes:
        told = _NUMBER.pack(number, last)
        if self._cipher is not None:
            try:
                return self._cipher.decrypt(self._prefix + told, sealed, self._head)
            except InvalidTag:
                raise BackupDamaged from None
        chunk = sealed[:-_TAG]
        if hashlib.sha256(self._head + told + chunk).digest()[:_TAG] != sealed[-_TAG:]:
            raise BackupDamaged
        return chunk


class SealedWriter(io.RawIOBase):
    """What is written goes into `file` in sealed chunks; closing it marks the last one, and leaves `file` open."""

    def __init__(self, file: BinaryIO, key: str | None) -> None:
        super().__init__()
        salt = os.urandom(16)
        head = json.dumps({"encrypted": bool(key), "salt": base64.b64encode(salt).decode()}).encode() + b"\n"
        file.write(MAGIC + head)
        self._file = file
        self._seal = _Seal(MAGIC + head, key, salt)
        self._pending = bytearray()
        self._number = 0
        # The first chunk is known to both sides: a wrong key is told from damage.
        self._put(MAGIC, last=False)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pending += data
        while len(self._pending) > CHUNK:
            self._put(bytes(self._pending[:CHUNK]), last=False)
            del self._pending[:CHUNK]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._put(bytes(self._pending), last=True)
            super().close()

    def _put(self, chunk: bytes, *, last: bool) -> None:
        sealed = self._seal.close(self._number, last, chunk)
        self._file.write(_LENGTH.pack(len(sealed) | (last << 31)) + sealed)
        self._number += 1


class SealedReader(io.RawIOBase):
    """The content of a backup file. Raises WrongKey at once, and BackupDamaged wherever something is not as written."""

    def __init__(self, file: BinaryIO, key: str | None) -> None:
        super().__init__()
        head = read_head(file)
        self.encrypted = bool(head["encrypted"])
        if self.encrypted and not key:
            raise WrongKey("암호가 걸린 백업이에요. BACKUP_KEY나 --key-file로 키를 주세요.")
        raw = MAGIC + head["line"]
        self._file = file
        self._seal = _Seal(raw, key if self.encrypted else None, head["salt"])
        self._pending = b""
        self._number = 0
        self._ended = False
        try:
            if self._next() != MAGIC:
                raise BackupDamaged
        except BackupDamaged:
            raise (WrongKey() if self.encrypted else BackupDamaged()) from None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._pending and not self._ended:
            self._pending = self._next()
        taken = self._pending[: len(buffer)]
        buffer[: len(taken)] = taken
        self._pending = self._pending[len(taken) :]
        return len(taken)

    def _next(self) -> bytes:
        length = self._file.read(4)
        if len(length) < 4:
            raise BackupDamaged
        (number,) = _LENGTH.unpack(length)
        last, size = bool(number >> 31), number & 0x7FFFFFFF
        if size > CHUNK + _TAG:
            raise BackupDamaged
        sealed = self._file.read(size)
        if len(sealed) < size or size < _TAG:
            raise BackupDamaged
        chunk = self._seal.open(self._number, last, sealed)
        self._number += 1
        self._ended = last
        if last and self._file.read(1):
            raise BackupDamaged
        return chunk


def read_head(file: BinaryIO) -> dict[str, Any]:
    """What stands in clear before the first chunk. Raises BackupDamaged for a file that is no backup."""
    if file.read(len(MAGIC)) != MAGIC:
        raise BackupDamaged("엔디의 백업 파일이 아니에요.")
    line = file.readline(_LONGEST_HEAD)
    try:
        told = json.loads(line)
        return {"encrypted": told["encrypted"] is True, "salt": base64.b64decode(told["salt"]), "line": line}
    except (ValueError, LookupError, TypeError):
        raise BackupDamaged from None
