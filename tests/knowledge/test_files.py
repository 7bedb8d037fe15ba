"""Files: which are read, which are not and why, and what happens when they go away."""

import os
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest

from endy.errors import StartupError
from endy.knowledge.files import LoadedFile, SourceFile, list_files, load, signature
from endy.knowledge.readers.markdown import read_markdown
from endy.settings import Settings, load_settings
from tests.other_user import as_nobody, open_folder

__all__ = ["open_folder"]

GOOD = "# 문서\n## 가\n글\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def settings_of(place: Path) -> Settings:
    (place / "docs").mkdir()
    (place / "faq.json").write_text('{"faqs": []}')
    (place / "docs" / "good.md").write_text(GOOD)
    return load_settings(_env_file=None, knowledge_dir=place / "docs", faq_file=place / "faq.json")


def names(settings: Settings) -> set[str]:
    return set(list_files(settings).files) - {"faq.json"}


def complaints(settings: Settings) -> dict[str, str]:
    return {problem.document: problem.message for problem in list_files(settings).problems}


def reasons(loaded: LoadedFile | None) -> str:
    assert loaded
    assert loaded.parsed
    assert loaded.parsed.refused
    return loaded.parsed.problems[0].message


def test_documents_are_found_in_every_folder(settings: Settings) -> None:
    """Names are paths below the folder, with `/`; both suffixes count, whatever their case."""
    (settings.knowledge_dir / "인사" / "휴가").mkdir(parents=True)
    (settings.knowledge_dir / "인사" / "휴가" / "연차.markdown").write_text(GOOD)
    (settings.knowledge_dir / "IT.MD").write_text(GOOD)
    assert names(settings) == {"good.md", "IT.MD", "인사/휴가/연차.markdown"}


def test_temporary_and_hidden_files_are_ignored(settings: Settings) -> None:
    """What editors leave lying about is neither read nor reported."""
    for name in ("~$good.md", ".good.md.swp", ".hidden.md", "good.md~", "#good.md#", "a.tmp", "photo.png"):
        (settings.knowledge_dir / name).write_text(GOOD)
    (settings.knowledge_dir / ".git").mkdir()
    (settings.knowledge_dir / ".git" / "a.md").write_text(GOOD)
    assert names(settings) == {"good.md"}
    assert complaints(settings) == {}


def test_documents_of_other_formats_are_pointed_out(settings: Settings) -> None:
    """Somebody put them there to be read."""
    (settings.knowledge_dir / "규정.hwp").write_bytes(b"x")
    assert "Markdown" in complaints(settings)["규정.hwp"]


def test_names_of_decomposed_hangul_become_syllables(settings: Settings) -> None:
    """A file from macOS gets the same id as one from Windows."""
    (settings.knowledge_dir / unicodedata.normalize("NFD", "휴가.md")).write_text(GOOD)
    assert unicodedata.normalize("NFC", "휴가.md") in names(settings)


def test_links_inside_the_folder_are_read(settings: Settings) -> None:
    """Kubernetes mounts files as links into a hidden folder beside them."""
    hidden = settings.knowledge_dir / "..2026"
    hidden.mkdir()
    (hidden / "it.md").write_text(GOOD)
    (settings.knowledge_dir / "it.md").symlink_to(Path("..2026") / "it.md")
    assert names(settings) == {"good.md", "it.md"}


def test_links_that_lead_out_or_nowhere_are_refused(settings: Settings, tmp_path: Path) -> None:
    """A link must not publish a file from elsewhere; loops, dead ends and folders are named too."""
    (tmp_path / "secret.md").write_text(GOOD)
    folder = settings.knowledge_dir
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "loop.md").symlink_to(folder / "loop.md")
    (folder / "dead.md").symlink_to(folder / "nothing.md")
    (folder / "linked").symlink_to(tmp_path)
    assert names(settings) == {"good.md"}
    assert set(complaints(settings)) == {"out.md", "loop.md", "dead.md", "linked"}


def test_a_pipe_does_not_keep_the_reader_waiting(settings: Settings) -> None:
    """Only regular files are opened."""
    os.mkfifo(settings.knowledge_dir / "pipe.md")
    assert names(settings) == {"good.md"}
    assert "pipe.md" in complaints(settings)


def test_a_name_that_is_no_text_is_reported(settings: Settings) -> None:
    """Bytes that are no UTF-8 cannot become an id."""
    Path(os.fsdecode(os.fsencode(settings.knowledge_dir) + b"/\xff\xfe.md")).write_text(GOOD)
    assert names(settings) == {"good.md"}
    assert len(complaints(settings)) == 1


def test_fifty_megabytes_are_refused_unread(settings: Settings) -> None:
    """A sparse file costs nothing to make and must cost nothing to refuse."""
    path = settings.knowledge_dir / "big.md"
    with path.open("wb") as file:
        file.truncate(51 * 1024 * 1024)
    assert "50MB" in reasons(load(list_files(settings).files["big.md"], None))


def test_a_file_that_vanishes_between_listing_and_reading(settings: Settings) -> None:
    """It is gone, and that is all."""
    source = list_files(settings).files["good.md"]
    source.path.unlink()
    assert load(source, None) is None


def test_known_content_is_not_parsed_again(settings: Settings) -> None:
    """The hash of the bytes decides, not the time."""
    source = list_files(settings).files["good.md"]
    first = load(source, None)
    assert first
    os.utime(source.path, (1, 1))
    again = load(source, first.content_hash)
    assert again
    assert again.parsed is None


def test_a_missing_half_is_a_problem_and_both_stop_the_start(settings: Settings) -> None:
    """Documents without an FAQ work and the other way round; nothing at all is an error of the settings."""
    settings.faq_file.rename(settings.faq_file.with_suffix(".bak"))
    assert set(complaints(settings)) == {"faq.json"}
    settings.knowledge_dir.rename(settings.knowledge_dir.with_suffix(".bak"))
    with pytest.raises(StartupError) as caught:
        list_files(settings)
    assert "KNOWLEDGE_DIR" in str(caught.value)
    assert "\n" not in str(caught.value)
    settings.faq_file.with_suffix(".bak").rename(settings.faq_file)
    assert set(complaints(settings)) == {str(settings.knowledge_dir)}


def test_a_file_without_permission_is_refused(open_folder: Path) -> None:
    """It is reported, and its last good version stays."""
    path = open_folder / "secret.md"
    path.write_text(GOOD)
    path.chmod(0)
    source = SourceFile("secret.md", path, read_markdown)
    assert "권한" in as_nobody(lambda: reasons(load(source, None)))


def test_folders_without_permission(open_folder: Path) -> None:
    """A closed folder inside is reported; a closed KNOWLEDGE_DIR counts as missing."""
    settings = settings_of(open_folder)
    inside = settings.knowledge_dir / "closed"
    inside.mkdir()
    inside.chmod(0)
    assert as_nobody(lambda: ",".join(complaints(settings))) == "closed"
    settings.knowledge_dir.chmod(0)
    assert as_nobody(lambda: ",".join(complaints(settings))) == str(settings.knowledge_dir)


def test_the_signature_notices_every_kind_of_change(settings: Settings) -> None:
    """New, written, replaced, renamed, deleted, permitted again; the FAQ file too."""
    folder = settings.knowledge_dir
    seen = [signature(settings)]
    for change in (
        lambda: (folder / "new.md").write_text(GOOD),
        lambda: (folder / "new.md").write_text(GOOD + "더"),
        lambda: (folder / "new.md").rename(folder / "newer.md"),
        lambda: (folder / "newer.md").chmod(0o600),
        (folder / "newer.md").unlink,
        lambda: settings.faq_file.write_text('{"faqs":  []}'),
        settings.faq_file.unlink,
    ):
        change()
        seen.append(signature(settings))
    assert all(before != after for before, after in pairwise(seen))
    assert signature(settings) == seen[-1]


def test_documents_below_a_closed_folder_stay(open_folder: Path) -> None:
    """Not being able to look is no deletion; a neighbour whose name only begins alike is not meant."""
    settings = settings_of(open_folder)
    (settings.knowledge_dir / "인사").mkdir()
    (settings.knowledge_dir / "인사").chmod(0)

    def kept() -> str:
        listing = list_files(settings)
        return ",".join(name for name in ("인사/휴가.md", "인사팀.md", "old.md") if listing.keeps(name, "faq.json"))

    assert as_nobody(kept) == "인사/휴가.md"
