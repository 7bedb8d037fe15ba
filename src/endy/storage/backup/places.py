"""Files of a backup into their places: made ready beside them, then swapped; what was there stays beside."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath

from endy.errors import Conflict, ServiceUnavailable
from endy.storage.backup.reader import Backup, unpack

READY = ".restoring"

Staged = dict[Path, Path]
"""By place, what is ready to go there."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Raises Conflict while another restore is at work in the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Conflict("다른 복원이 진행되고 있어요. 끝난 뒤에 다시 해 주세요.") from None
    except OSError:
        # Some network file systems lock no folders.
        pass
    try:
        yield
    finally:
        os.close(descriptor)


def stage(backup: Backup, places: Mapping[str, Path], key: str | None) -> Staged:
    """Everything written beside its place, nothing touched yet. Raises Conflict or ServiceUnavailable for a place
    that could not be swapped, or a disk that is too full."""
    targets = _targets(backup, places)
    staged = {base: base.with_name(base.name + READY) for base, _ in targets.values()}

    def target(name: PurePosixPath) -> Path | None:
        if name.parts[0] not in targets:
            return None
        base, inner = targets[name.parts[0]]
        return staged[base].joinpath(*inner, *name.parts[1:])

    try:
        for base, ready in staged.items():
            _check(base, backup.file_bytes)
            _remove(ready)
        unpack(backup, key, target)
        for base, ready in staged.items():
            belong(ready, base)
    except OSError as error:
        drop(staged)
        raise ServiceUnavailable(
            f"지식 파일을 쓸 수 없어요 ({error.filename}: {error.strerror}). 아무것도 바꾸지 않았어요. "
            "--files-to로 다른 폴더에 두거나 --no-files로 빼 주세요."
        ) from error
    except BaseException:
        drop(staged)
        raise
    return staged


def swap(staged: Staged) -> list[Path]:
    """Put into place what is ready. Where the former content is kept."""
    kept = []
    for base, ready in staged.items():
        if base.exists():
            before = beside(base)
            base.rename(before)
            kept.append(before)
        ready.rename(base)
    return kept


def drop(staged: Staged) -> None:
    for ready in staged.values():
        with suppress(OSError):
            _remove(ready)


def beside(path: Path) -> Path:
    """A free name with the time in it."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    names = (path.with_name(f"{path.name}.before-{stamp}{more}") for more in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(name for name in names if not name.exists())


def belong(new: Path, model: Path) -> None:
    """Give what root has restored to the owner of what it replaces, or of the folder that it comes into."""
    if os.geteuid() != 0:
        return
    while not model.exists():
        model = model.parent
    owner = model.stat()
    for path in (new, *new.rglob("*")) if new.is_dir() else (new,):
        os.chown(path, owner.st_uid, owner.st_gid)


def make_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        belong(path, path.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def _targets(backup: Backup, places: Mapping[str, Path]) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """By name, which place is swapped, and where in it; a place inside another one is swapped with that."""
    names = {PurePosixPath(name).parts[0] for name in backup.contents.files}
    real = {name: place.resolve() for name, place in places.items() if name in names}
    found = {}
    for name, place in real.items():
        base = next((outer for outer in real.values() if outer in place.parents), place)
        found[name] = (base, place.relative_to(base).parts)
    return found


def _check(base: Path, needed: int) -> None:
    if base.is_mount():
        raise Conflict(
            f"{base}은(는) 따로 붙인 볼륨이라 통째로 바꿀 수 없어요. --files-to로 다른 폴더에 되살린 뒤 옮겨 주세요."
        )
    make_folder(base.parent)
    free = shutil.disk_usage(base.parent).free
    if free < needed:
        raise ServiceUnavailable(
            f"{base.parent}에 {needed / 1_000_000:.0f} MB가 필요한데 {free / 1_000_000:.0f} MB가 남았어요. 비워 주세요."
        )


def _remove(left: Path) -> None:
    """What a restore that was killed has left behind."""
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left)
    else:
        left.unlink(missing_ok=True)
