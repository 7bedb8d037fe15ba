"""The files behind the knowledge: which there are, what is in them, and whether anything moved."""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from endy.errors import StartupError
from endy.knowledge.faq import read_faq
from endy.knowledge.problems import Problem
from endy.knowledge.readers import LATER, reader_for
from endy.knowledge.readers.parsed import ParsedDocument, Reader
from endy.knowledge.readers.text import MAX_BYTES, too_large
from endy.settings import Settings

READER_VERSION = b"1"
"""Raised when readers read the same bytes differently, so that every file is read again."""

MAX_NAME = 400
_TEMPORARY = ("~$", ".", "#")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """`name` is the path below KNOWLEDGE_DIR with `/`, or the bare name of FAQ_FILE."""

    name: str
    path: Path
    reader: Reader


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """`parsed` is None when the content is the one already known."""

    name: str
    modified_at: datetime
    content_hash: str
    parsed: ParsedDocument | None


@dataclass(slots=True)
class Listing:
    """What should be read. A missing or closed folder is a problem, and what came from it is left alone."""

    files: dict[str, SourceFile] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    closed_folders: list[str] = field(default_factory=list)
    documents_missing: bool = False
    faq_missing: bool = False

    def keeps(self, name: str, faq_name: str) -> bool:
        """Whether a stored document stays although its file is not in the listing."""
        if name == faq_name:
            return self.faq_missing
        return self.documents_missing or any(name.startswith(f"{folder}/") for folder in self.closed_folders)


def list_files(settings: Settings) -> Listing:
    """Every file to read; raises StartupError when there is neither a folder nor an FAQ file."""
    listing = Listing()
    folder, faq = settings.knowledge_dir, settings.faq_file
    listing.documents_missing = not _readable_folder(folder)
    listing.faq_missing = not faq.is_file()
    if listing.documents_missing and listing.faq_missing:
        raise StartupError(f"KNOWLEDGE_DIR({folder})와 FAQ_FILE({faq})을 읽을 수 없어요. 경로와 권한을 확인해 주세요.")
    if listing.documents_missing:
        message = "문서 폴더를 읽을 수 없어요. 지난 내용으로 답하고 있으니 KNOWLEDGE_DIR을 확인해 주세요."
        listing.problems.append(Problem(str(folder), message, severity="error"))
    else:
        for path in _walk(folder, listing):
            _add_document(listing, folder, path)
    if listing.faq_missing:
        message = "FAQ 파일이 없어요. 지난 내용이 있으면 그것으로 답해요. FAQ_FILE을 확인해 주세요."
        listing.problems.append(Problem(faq.name, message, severity="error"))
    else:
        listing.files[faq.name] = SourceFile(faq.name, faq, read_faq)
    return listing


def load(source: SourceFile, known_hash: str | None) -> LoadedFile | None:
    """Read and parse one file unless its content is known; None when it has gone meanwhile."""
    try:
        with source.path.open("rb") as file:
            about = os.fstat(file.fileno())
            content = file.read(MAX_BYTES + 1) if about.st_size <= MAX_BYTES else None
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"파일을 읽을 수 없어요({error.strerror}). 권한을 확인해 주세요."
        return _refused(source, datetime.now(UTC), "unreadable", Problem(source.name, message, severity="error"))
    modified = datetime.fromtimestamp(about.st_mtime, UTC)
    if content is None:
        return _refused(source, modified, f"too large: {about.st_size}", too_large(source.name))
    content_hash = sha256(READER_VERSION + b"\0" + content).hexdigest()
    if content_hash == known_hash:
        return LoadedFile(source.name, modified, content_hash, None)
    return LoadedFile(source.name, modified, content_hash, source.reader(source.name, content))


def _refused(source: SourceFile, modified: datetime, content_hash: str, problem: Problem) -> LoadedFile:
    return LoadedFile(
        source.name, modified, content_hash, ParsedDocument(source.name, problems=(problem,), refused=True)
    )


def signature(settings: Settings) -> int:
    """A number that is another one when a file came, went or was written; costs one `stat` per file."""
    seen = [_stat_of(settings.faq_file)]
    for root, folders, names in os.walk(settings.knowledge_dir):
        folders[:] = [name for name in folders if not name.startswith(_TEMPORARY)]
        seen += [_stat_of(Path(root, name)) for name in names if not _temporary(name)]
    return hash(frozenset(seen))


def _stat_of(path: Path) -> tuple[str, int, int, int]:
    try:
        about = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    # The change time also notices a permission that was given back.
    return (str(path), about.st_ctime_ns, about.st_size, about.st_ino)


def _readable_folder(folder: Path) -> bool:
    try:
        return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
    except OSError:
        return False


def _walk(folder: Path, listing: Listing) -> Iterator[Path]:
    def closed(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return
        name = _document_name(Path(error.filename), folder)
        listing.closed_folders.append(name)
        message = "폴더를 읽을 수 없어요. 지난 내용으로 답하고 있으니 권한을 확인해 주세요."
        listing.problems.append(Problem(name, message, severity="error"))

    for root, folders, names in os.walk(folder, onerror=closed):
        folders[:] = sorted(name for name in folders if not name.startswith(_TEMPORARY))
        linked = (name for name in folders if Path(root, name).is_symlink())
        listing.problems += (
            Problem(_printable(name), "링크된 폴더는 읽지 않아요. 문서를 폴더에 넣어 주세요.") for name in linked
        )
        yield from (Path(root, name) for name in sorted(names) if not _temporary(name))


def _temporary(name: str) -> bool:
    return name.startswith(_TEMPORARY) or name.endswith(("~", ".tmp", ".swp"))


def _add_document(listing: Listing, folder: Path, path: Path) -> None:
    name = _document_name(path, folder)
    reader = reader_for(path)
    if reader is None:
        if path.suffix.lower() in LATER:
            listing.problems.append(
                Problem(name, f"{path.suffix} 파일은 아직 읽지 못해요. Markdown으로 저장해 주세요.")
            )
        return
    reason = _refusal(folder, path) or ("이름이 같은 파일이 또 있어요." if name in listing.files else None)
    if reason:
        listing.problems.append(Problem(name, f"{reason} 이 파일은 읽지 않았어요."))
    else:
        listing.files[name] = SourceFile(name, path, reader)


def _refusal(folder: Path, path: Path) -> str | None:
    written = path.relative_to(folder).as_posix()
    if _printable(written) != written or len(written) > MAX_NAME:
        return "파일 이름이 너무 길거나 깨져 있어요."
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve()):
            return "폴더 밖을 가리키는 링크예요."
        # A pipe or a device would keep the reader waiting for ever.
        return None if stat.S_ISREG(path.stat().st_mode) else "보통 파일이 아니에요."
    except FileNotFoundError:
        return "가리키는 파일이 없는 링크예요." if path.is_symlink() else None
    except (OSError, RuntimeError):
        return None if not path.is_symlink() else "따라갈 수 없는 링크예요."


def _document_name(path: Path, folder: Path) -> str:
    # macOS stores Hangul in file names as separate letters; ids use whole syllables.
    return unicodedata.normalize("NFC", _printable(path.relative_to(folder).as_posix()))


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
