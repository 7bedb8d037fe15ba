"""What a sync is going to change, worked out from what is stored and what was read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone

from endy.audit.service import Event
from endy.knowledge.files import LoadedFile
from endy.knowledge.problems import Problem
from endy.knowledge.readers.parsed import ParsedDocument
from endy.knowledge.repository import StoredDocument
from endy.retrieval.section import Section

# A fixed offset: Korea has no summer time, and slim systems have no time zone data.
_KOREA = timezone(timedelta(hours=9))


@dataclass(frozen=True, slots=True)
class Change:
    """One document to write. `sections` is None where the stored ones stay as they are."""

    document: StoredDocument
    sections: tuple[Section, ...] | None


@dataclass(slots=True)
class Plan:
    """Nothing in it is written yet. `base` is what it was worked out from."""

    base: Mapping[str, StoredDocument]
    changes: list[Change] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    moved: bool = False

    @property
    def touches_content(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.moved)

    @property
    def touches_rows(self) -> bool:
        return bool(self.changes or self.gone)

    @property
    def sections(self) -> list[Section]:
        """Every section that is going to be written."""
        return [section for change in self.changes for section in change.sections or ()]

    @property
    def documents(self) -> set[str]:
        """The documents whose stored sections are going to be replaced or to go."""
        return {change.document.name for change in self.changes if change.sections is not None} | set(self.gone)

    def events(self, actor: str) -> list[Event]:
        """What changes in the content, document by document, for the audit log."""
        told = []
        for change in self.changes:
            known, document = self.base.get(change.document.name), change.document
            if change.sections is None or (known and known.content_hash == document.content_hash):
                continue
            after = {"content_hash": document.content_hash, "sections": len(change.sections)}
            before = {"content_hash": known.content_hash} if known else None
            told.append(Event("document_changed" if known else "document_added", actor, document.name, before, after))
        gone = ((name, {"content_hash": self.base[name].content_hash}) for name in self.gone)
        return told + [Event("document_removed", actor, name, before) for name, before in gone]

    def leave(self, name: str, sections: int) -> None:
        """A file that is as it was stored, with so many sections."""
        known = self.base.get(name)
        self.unchanged += sections
        self.problems += known.problems if known else ()

    def add(self, loaded: LoadedFile, parsed: ParsedDocument, stored: Sequence[Section]) -> None:
        """Take in one file that was read anew, given its stored sections."""
        known = self.base.get(loaded.name)
        self.problems += parsed.problems
        sections = None if parsed.refused else _merged(loaded, parsed, stored)
        title = known.title if parsed.refused and known else parsed.title
        self.changes.append(Change(_document(loaded, title, parsed.problems), sections))
        self._count(stored, stored if sections is None else sections)

    def drop(self, name: str, sections: int) -> None:
        """The file has gone."""
        self.gone.append(name)
        self.removed += sections

    def keep(self, sections: int) -> None:
        """The file cannot be looked for just now."""
        self.unchanged += sections

    def _count(self, old: Sequence[Section], new: Sequence[Section]) -> None:
        before = {section.id: section.content_hash for section in old}
        after = {section.id: section.content_hash for section in new}
        same = sum(before.get(key) == value for key, value in after.items())
        self.added += len(after.keys() - before.keys())
        self.removed += len(before.keys() - after.keys())
        self.changed += len(after.keys() & before.keys()) - same
        self.unchanged += same
        self.moved |= list(before) != list(after)


def _merged(loaded: LoadedFile, parsed: ParsedDocument, stored: Sequence[Section]) -> tuple[Section, ...]:
    """The file's sections, each dated by its own last change, and the stored ones that could not be read anew."""
    before = {section.id: section for section in stored}
    today = loaded.modified_at.astimezone(_KOREA).date().isoformat()
    merged = []
    for section in parsed.sections:
        old = before.get(section.id)
        same = old is not None and old.content_hash == section.content_hash
        merged.append(replace(section, updated_at=old.updated_at if old and same else today))
    return (*merged, *(before[key] for key in before if key in parsed.kept_ids))


def _document(loaded: LoadedFile, title: str, problems: tuple[Problem, ...]) -> StoredDocument:
    severities = {problem.severity for problem in problems}
    status = "error" if "error" in severities else "warning" if severities else "ok"
    return StoredDocument(loaded.name, title, loaded.content_hash, status, problems, loaded.modified_at)
