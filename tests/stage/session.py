"""Sessions: their tokens, and what belongs to one session alone."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import duckdb

from account import Name, parts_of
from answer import Result

if TYPE_CHECKING:
    from fakesnow.conn import FakeSnowflakeConnection

    from account import Account
    from faults import Faults

RESULTS_KEPT = 20
FUNCTIONS = (pathlib.Path(__file__).parent / "functions.sql").read_text()


class Session:
    """What a login gave."""

    def __init__(self, connection: FakeSnowflakeConnection, account: Account, faults: Faults) -> None:
        self.connection = connection
        self.account = account
        self.faults = faults
        self.id = secrets.randbits(48)
        self.token = secrets.token_urlsafe(32)
        self.master_token = secrets.token_urlsafe(32)
        # Tests set faults for the database of the login.
        self.scope: str | None = connection.database
        self.role = "SYSADMIN"
        self.user = "STAGE"
        self.warehouse: str | None = None
        self.parameters: dict[str, str] = {}
        self.temporary: list[tuple[str, Name]] = []
        # The number of the transaction that is open: when it began, as Snowflake counts it.
        self.transaction: int | None = None
        self.last_used = time.monotonic()
        # One statement after the other: DuckDB's connections stand no more, and neither do Snowflake's transactions.
        self.lock = asyncio.Lock()
        connection._duck_conn.execute(FUNCTIONS)
        self.results: OrderedDict[str, Result] = OrderedDict()

    @property
    def database(self) -> str:
        return self.connection.database or ""

    @property
    def schema(self) -> str:
        return self.connection.schema or "PUBLIC"

    def name(self, text: str) -> Name:
        """The full name that a text means in this session."""
        parts = parts_of(text)
        return Name(*[self.database, self.schema][: 3 - len(parts)], *parts[-3:])

    def keep(self, query_id: str, result: Result) -> None:
        """Keeps a result for RESULT_SCAN."""
        self.results[query_id] = result
        if len(self.results) > RESULTS_KEPT:
            self.results.popitem(last=False)

    @property
    def in_transaction(self) -> bool:
        return self.transaction is not None

    def begin(self) -> None:
        if not self.in_transaction:
            self.connection._duck_conn.begin()
            self.transaction = time.time_ns()

    def commit(self) -> None:
        if self.in_transaction:
            self.transaction = None
            try:
                self.connection._duck_conn.commit()
            finally:
                self.release()

    def rollback(self) -> None:
        if self.in_transaction:
            self.transaction = None
            try:
                self.connection._duck_conn.rollback()
            finally:
                self.release()

    def release(self) -> None:
        """Gives up the locks of the transaction."""
        locks = self.account.locks
        for name in [name for name, holder in list(locks.items()) if holder is self]:
            locks.pop(name, None)

    def end(self) -> None:
        """What Snowflake does when a session ends: nothing that was not committed stays, nor anything temporary."""
        with contextlib.suppress(duckdb.Error):
            self.rollback()
        for kind, name in reversed(self.temporary):
            with contextlib.suppress(duckdb.Error):
                self.connection._duck_conn.execute(f"drop {kind} if exists {name.quoted()}")
            self.account.forget(name)
        self.temporary.clear()


class Sessions:
    """All sessions, by their tokens."""

    def __init__(self) -> None:
        self.by_token: dict[str, Session] = {}
        self.by_master_token: dict[str, Session] = {}
        self.expired: set[str] = set()

    def add(self, session: Session) -> None:
        self.by_token[session.token] = session
        self.by_master_token[session.master_token] = session

    def renew(self, master_token: str) -> Session | None:
        """Gives a session a new token; the old one is worth nothing from now on."""
        session = self.by_master_token.get(master_token)
        if session:
            self.expired.add(session.token)
            session.token = secrets.token_urlsafe(32)
            self.by_token[session.token] = session
        return session

    def end(self, session: Session) -> None:
        self.by_token = {token: held for token, held in self.by_token.items() if held is not session}
        self.by_master_token.pop(session.master_token, None)
        session.end()

    def of_database(self, database: str | None) -> list[Session]:
        unique: dict[int, Any] = {session.id: session for session in self.by_token.values()}
        return [session for session in unique.values() if database in (None, session.scope)]
