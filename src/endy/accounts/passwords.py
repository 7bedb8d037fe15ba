"""Passwords: what a new one must be, and hashing that never takes more than its share of the machine."""

import asyncio
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from endy.accounts.models import User
from endy.errors import ServiceUnavailable, ValidationFailed

SHORTEST = 10
LONGEST = 128
MOST_WAITING = 50
FEWEST_LETTERS = 5
"""Different characters that a password needs: `1212121212` is as good as none."""

FEWEST_OWN = 5
"""Characters that must be left, runs such as 1234 counted once, when common words and the own name are taken out."""

_COMMON = Path(__file__).parent / "data" / "common_passwords.txt"
_YEAR = re.compile(r"(?:19|20)\d\d")
_RUNS = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm")

# OWASP's second choice of parameters: of its equals the one that is quickest where memory is scarce (19 MiB a login).
T = TypeVar("T")
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = _hasher.hash("whoever asks for nobody waits as long as for somebody")


class Passwords:
    """Hashes on two threads; who comes when too many wait already is asked to come back."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="passwords")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        return await self._run(partial(_hasher.hash, _plain(password)))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; takes as long without a hash, and is False then."""
        same = await self._run(partial(_verify, password_hash or _NOBODY, _plain(password)))
        return same and bool(password_hash)

    def outdated(self, password_hash: str) -> bool:
        """Whether today's parameters are others than the hash was made with."""
        return _hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: "partial[T]") -> T:
        if self._waiting >= MOST_WAITING:
            raise ServiceUnavailable("지금 로그인이 몰려 있어요. 잠시 뒤에 다시 시도해 주세요.", {"retry_after": 5})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def check_new_password(password: str, user: User, field: str = "new_password") -> None:
    """Raise ValidationFailed, saying what is wrong with it: length and guesses, as NIST SP 800-63B asks; no more."""
    problem = _problem(_plain(password), user)
    if problem:
        raise ValidationFailed(problem, {"fields": [{"field": field, "problem": problem}]})


def _problem(password: str, user: User) -> str:
    if len(password) < SHORTEST:
        return f"비밀번호는 {SHORTEST}자 이상이어야 해요."
    if len(password) > LONGEST:
        return f"비밀번호는 {LONGEST}자까지 쓸 수 있어요."
    lowered = password.casefold()
    if len(set(lowered)) < FEWEST_LETTERS or _without_runs(lowered) < FEWEST_LETTERS - 1:
        return "같은 글자나 이어진 글자가 너무 많아요. 낱말을 서너 개 이어 적어 보세요."
    if lowered in _common() or _own_part(lowered, user) < FEWEST_OWN:
        return "많이 쓰이거나 짐작하기 쉬운 비밀번호예요. 낱말을 서너 개 이어 적어 보세요."
    return ""


def _own_part(lowered: str, user: User) -> int:
    """How much is left without what is tried first: the person's own data, years and a common word."""
    own = {user.employee_id, user.name, user.email.partition("@")[0], user.department}
    rest = _YEAR.sub("", lowered)
    for word in sorted((word.casefold() for word in own if len(word) > 1), key=len, reverse=True):
        rest = rest.replace(word, "")
    words = [word for word in re.findall(r"[^\W\d_]+", rest) if word in _common()]
    if words:
        rest = rest.replace(max(words, key=len), "", 1)
    return _without_runs(rest)


def _without_runs(lowered: str) -> int:
    """How many characters do not follow their neighbour on the keyboard, in the alphabet or by repetition."""
    pairs = pairwise(lowered)
    return 1 + sum(not (left == right or any(left + right in run for run in _both_ways())) for left, right in pairs)


@lru_cache(maxsize=1)
def _both_ways() -> tuple[str, ...]:
    return (*_RUNS, *(run[::-1] for run in _RUNS))


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return frozenset(_COMMON.read_text(encoding="utf-8").split())


def _plain(password: str) -> str:
    """One form of characters that look alike, whichever keyboard they came from."""
    return unicodedata.normalize("NFKC", password)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
