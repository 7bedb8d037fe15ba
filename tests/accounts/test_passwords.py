"""Passwords: long enough and not among the first guesses, hashed slowly but never with the whole machine."""

import asyncio

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from endy.accounts.models import User
from endy.accounts.passwords import MOST_WAITING, Passwords, check_new_password
from endy.errors import ServiceUnavailable, ValidationFailed

PARK = User("2024003", "박민수", "IT팀", "minsoo.park@encar.example", "user")

GUESSES = [
    "짧아요", "a" * 9, "a" * 129, "aaaaaaaaaaaa", "1234567890", "0987654321", "qwertyuiop", "abcdefghijkl",
    "1212121212", "password12", "Password123!", "PASSWORD2026!!", "ｐａｓｓｗｏｒｄ１２", "qwerty123456", "letmein1234",
    "encar2026!!", "Encar2025!", "dkssudgktpdy1", "qlalfqjsgh1!", "비밀번호1234!!", "사랑해사랑해사랑해사랑해",
    "2024003박민수!", "minsoo.park1!", "IT팀박민수1234", "박민수2024003", "q1w2e3r4t5", "1q2w3e4r5t", "asdfghjkl;",
]  # fmt: skip
GOOD = [
    "correct horse battery", "파란 자전거 일곱 대", "Tr0ub4dor&3x", "x9$Kd02mQz", "가을에는 감을 땄다",
    "🙂🚗🌧🍊🐢🎈🧦🪑🌵🎹",
    "나는 어제 빵을 샀다", "vkfks wkwjsrj", "a" * 5 + "Zk8!pQ2r", "긴" * 3 + "문장은 기억하기 쉬워요",
]  # fmt: skip


@pytest.mark.parametrize("password", GUESSES)
def test_what_is_tried_first_is_refused(password: str) -> None:
    """The answer names the field and says in a sentence what to do; it never repeats the password."""
    with pytest.raises(ValidationFailed) as refused:
        check_new_password(password, PARK)
    (field,) = refused.value.details["fields"]
    assert field["field"] == "new_password"
    assert field["problem"].endswith("요.")
    assert password not in refused.value.message


@pytest.mark.parametrize("password", GOOD)
def test_everything_else_is_allowed(password: str) -> None:
    """No rule asks for capitals, digits or signs; spaces, Hangul and emoji count as any character."""
    check_new_password(password, PARK)


async def test_a_password_matches_itself_only() -> None:
    """However the characters were typed: composed or not, full-width or not; nothing is cut off at the end."""
    passwords = Passwords()
    stored = await passwords.hash("파란 자전거 Ａ1")
    assert extract_parameters(stored).type is Type.ID
    for typed, same in (
        ("파란 자전거 Ａ1", True),
        ("파란 자전거 A1", True),
        ("\u1111\u1161\u1105\u1161\u11ab 자전거 A1", True),
        ("파란 자전거 A1 ", False),
        ("파란 자전거 a1", False),
        ("", False),
    ):
        assert await passwords.matches(stored, typed) is same, typed
    long = "가" * 1000
    assert not await passwords.matches(await passwords.hash(long), long + "나")


@pytest.mark.parametrize("broken", [None, "", "plain", "$argon2id$v=19$m=8", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_no_hash_and_a_broken_hash_match_nothing(broken: str | None) -> None:
    """Not even the text that stands in for nobody's password."""
    passwords = Passwords()
    for typed in ("", "whoever asks for nobody waits as long as for somebody", "plain"):
        assert not await passwords.matches(broken, typed)


async def test_old_parameters_are_noticed() -> None:
    """A hash that was made cheaper, or dearer, than today's is due for a new one."""
    passwords = Passwords()
    assert passwords.outdated(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x"))
    assert not passwords.outdated(await passwords.hash("x"))


async def test_a_rush_is_bounded() -> None:
    """Two are hashed at a time, some wait, and the rest is told to come back instead of piling up memory."""
    passwords = Passwords()
    results = await asyncio.gather(*(passwords.hash("x") for _ in range(MOST_WAITING + 20)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ServiceUnavailable)]
    assert len(refused) == 20
    assert refused[0].details == {"retry_after": 5}
    assert (await passwords.hash("again")).startswith("$argon2id$")
