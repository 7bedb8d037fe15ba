"""Readers: one per file format, found by suffix."""

from collections.abc import Mapping
from pathlib import PurePath

from endy.knowledge.readers.markdown import read_markdown
from endy.knowledge.readers.parsed import ParsedDocument, Reader

READERS: Mapping[str, Reader] = {".md": read_markdown, ".markdown": read_markdown}

LATER = frozenset({".docx", ".doc", ".pdf", ".pptx", ".ppt", ".xlsx", ".xls", ".html", ".htm", ".hwp", ".hwpx", ".txt"})
"""Documents that people will put into the folder although no reader takes them yet."""


def reader_for(path: PurePath) -> Reader | None:
    return READERS.get(path.suffix.lower())


__all__ = ["LATER", "READERS", "ParsedDocument", "Reader", "reader_for"]
