"""Reaching past Endy into its database, as its owner can."""

import sqlite3
from contextlib import closing
from typing import Any

import psycopg
from sqlalchemy import make_url

READ_ONLY = {"sqlite": "PRAGMA query_only=ON", "postgresql": "SET TRANSACTION READ ONLY"}
"""By dialect, what a connection is told as its transaction begins."""


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run the statements in one transaction; the rows of the last one."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database))) as database, database:
            return [database.execute(statement).fetchall() for statement in statements][-1]
    with psycopg.connect(url) as connection:
        done = [connection.execute(statement.encode()) for statement in statements][-1]
        return done.fetchall() if done.description else []
