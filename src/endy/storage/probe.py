"""Whether the database file is the one that was opened, and whether it can be written now."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from endy.storage.engine import try_write

WAIT_SECONDS = 1.0
"""How long another program may hold the lock before the database counts as locked."""


class DatabaseProbe:
    """For SQLite; of a database server, a successful read says enough."""

    def __init__(self, database_url: str) -> None:
        url = make_url(database_url)
        self._path = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
        self._opened = self._identity()

    def unmoved(self) -> bool:
        """Connections go on with a file that was deleted or replaced: what they write then is lost."""
        return self._identity() == self._opened

    async def writable(self) -> bool:
        """Try to write, in a connection of its own that changes nothing and leaves the pool alone."""
        return self._path is None or await asyncio.to_thread(_writable, self._path)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found else None


def _writable(path: Path) -> bool:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
            try_write(connection)
    except sqlite3.Error:
        return False
    return True
