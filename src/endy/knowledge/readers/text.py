"""Bytes to text: UTF-8, with or without a mark, and CP949 as older Korean editors still write it."""

import codecs
import unicodedata

from endy.knowledge.problems import Problem

MAX_BYTES = 50 * 1024 * 1024


def too_large(name: str) -> Problem:
    return Problem(name, "50MB보다 커서 읽지 않았어요. 나누어 저장해 주세요.", severity="error")


def decode(name: str, content: bytes) -> tuple[str | None, list[Problem]]:
    """The text in NFC with `\\n` line ends, or None with the reason."""
    refusal = _refusal(content)
    if refusal:
        return None, [Problem(name, refusal, severity="error")]
    problems: list[Problem] = []
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        try:
            text = content.decode("cp949")
        except UnicodeDecodeError:
            return None, [Problem(name, "글자를 읽을 수 없어요. UTF-8로 저장해 주세요.", line, "error")]
        problems.append(Problem(name, "CP949(EUC-KR)로 읽었어요. UTF-8로 저장하면 글자가 깨질 일이 없어요.", line))
    return _tidy(text), problems


def _refusal(content: bytes) -> str | None:
    if len(content) > MAX_BYTES:
        return too_large("").message
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16으로 저장돼 있어요. UTF-8로 저장해 주세요."
    if b"\0" in content:
        return "글자 파일이 아니에요. 문서를 UTF-8 텍스트로 저장해 주세요."
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        return "빈 파일이에요. 내용을 적거나 파일을 지워 주세요."
    return None


def _tidy(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
