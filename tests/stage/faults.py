"""What tests ask the stage to do wrong, and what they may ask it about."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from typing import Any

# Faults that count down: the next n requests are answered so.
#   expire           the session's token is expired; the client has to renew it
#   html             an HTML page with status 403
#   fail_before      status 503, nothing was executed
#   throttle         status 429 with Retry-After, nothing was executed
#   cut_before       the connection is closed without an answer, nothing was executed
#   fail_after       status 500, though the statement was executed
#   truncate_after   half of the answer, then the connection is closed
#   cut_after        the connection is closed without an answer, though the statement was executed
#   gone             the session is ended: what was not committed is undone
#   gone_after       the statement is executed, then the session is ended and the connection closed without an answer
#   hold_before      the statement waits before it is executed until the faults change, and then never is: its client is dead
#   hold_after       the answer waits until the faults change, though the statement was executed
#   fail_renew       the token cannot be renewed
#   fail_login       the login is answered with 503
COUNTED = frozenset(
    "expire html fail_before throttle cut_before fail_after truncate_after cut_after gone gone_after hold_before hold_after"
    " fail_renew fail_login".split()
)
# Faults that happen once, with the number that they are given.
#   async_polls      the next statement is answered with "in progress" so many times
#   expire_on_poll   the token expires when so many of these polls are left
#   hang             the next statement begins only after so many seconds, unless it is aborted
ONCE = frozenset({"async_polls", "expire_on_poll", "hang"})
# Faults that come later.
#   after, then      once so many statements that change something have arrived, the faults of `then` take the place of
#                    these, and concern the next such statement first
#   each             a list of faults that come later, each with a `match`, `after` and `then` of its own
LATER = frozenset({"after", "then", "each"})
# Statements that change something, or make it lasting.
CHANGES = re.compile(
    r"^(?:alter(?!\s+session\b)|begin|comment|commit|copy|create|delete|drop|execute|grant|insert|merge|put|revoke|rollback"
    r"|start|truncate|undrop|update)\b", re.I,
)  # fmt: skip
# Faults that stay until they are changed.
#   match            a text: only statements that have it in them are concerned by any of these faults
#   pause            true: statements wait until this is false again
#   chunk            results are given in parts of so many rows
#   chunk_json       true: these parts are JSON
#   coltype          the type of the first column of every result
#   nullrole         true: the fields that may be null are null
#   show_limit       SHOW gives at most so many rows, as Snowflake does with 10,000
#   idle_abort       a transaction that is idle for so many seconds and holds a lock that another waits for is undone;
#                    Snowflake does so after 300
LASTING = frozenset("match pause chunk chunk_json coltype nullrole show_limit idle_abort".split())


class Faults:
    """The faults of every database: tests that share a stage must not meet each other's."""

    def __init__(self) -> None:
        self.by_database: dict[str | None, dict[str, Any]] = defaultdict(dict)
        self.log: list[dict[str, Any]] = []
        self.statements: list[dict[str, Any]] = []
        self.changed = asyncio.Event()

    def set(self, database: str | None, faults: dict[str, Any]) -> None:
        """Replaces the faults of a database, or those that are for all."""
        if unknown := set(faults) - COUNTED - ONCE - LATER - LASTING:
            raise ValueError(f"no such faults: {', '.join(sorted(unknown))}")
        self.by_database[database] = dict(faults)
        self.changed.set()
        self.changed = asyncio.Event()

    def _holder(self, name: str, database: str | None, sql: str | None) -> dict[str, Any] | None:
        for scope in (database, None):
            faults = self.by_database[scope]
            matches = sql is None or str(faults.get("match", "")).lower() in sql.lower()
            if faults.get(name) and matches:
                return faults
        return None

    def get(self, name: str, database: str | None, sql: str | None = None) -> Any:
        """The value of a fault that stays."""
        holder = self._holder(name, database, sql)
        return holder[name] if holder else None

    def take(self, name: str, database: str | None, sql: str | None = None) -> Any:
        """Whether the fault is to happen now, or its number; it is counted."""
        holder = self._holder(name, database, sql)
        if not holder:
            return None
        value = holder[name]
        if name in COUNTED:
            holder[name] = int(value) - 1
        else:
            del holder[name]
        return value

    def arrived(self, database: str | None, text: str) -> None:
        """Counts a statement, of which `text` begins with its verb: faults that were to come later come now."""
        if not CHANGES.match(text):
            return
        for scope in (database, None):
            faults = self.by_database[scope]
            if self._comes_now(faults, text):
                self.by_database[scope] = dict(faults["then"])
                self.note(scope, "reached", sql=text)
            for later in list(faults.get("each", [])):
                if self._comes_now(later, text):
                    faults["each"].remove(later)
                    faults.update(later["then"])
                    self.note(scope, "reached", sql=text)
                    break

    @staticmethod
    def _comes_now(faults: dict[str, Any], text: str) -> bool:
        """Whether faults that were to come later come with this statement; it is counted."""
        if "then" not in faults or str(faults.get("match", "")).lower() not in text.lower():
            return False
        if int(faults.get("after", 0)) > 0:
            faults["after"] = int(faults["after"]) - 1
            return False
        return True

    async def held(self, database: str | None, sql: str, how: str) -> None:
        """Waits until the faults change."""
        self.note(database, how, sql=sql)
        await self.changed.wait()

    async def happens(self, database: str | None, kinds: list[str]) -> bool:
        """Whether the log has a line of one of these kinds, now or in a moment."""
        for _ in range(50):
            if any(entry["what"] in kinds and database in (None, entry["database"]) for entry in self.log):
                return True
            await asyncio.sleep(0.005)
        return False

    def note(self, database: str | None, what: str, **more: Any) -> None:
        """Adds a line to the log of what happened on the wire."""
        self.log.append({"database": database, "what": what, **more})

    @staticmethod
    def taken_from(entries: list[dict[str, Any]], database: str | None) -> list[dict[str, Any]]:
        """Removes and gives the entries of a database, or all."""
        taken = [entry for entry in entries if database in (None, entry["database"])]
        entries[:] = [entry for entry in entries if database not in (None, entry["database"])]
        return taken

    async def pause(self, database: str | None, sql: str) -> None:
        """Waits while a test holds the statement back."""
        if self.get("pause", database, sql):
            self.note(database, "paused", sql=sql)
        while self.get("pause", database, sql):
            await self.changed.wait()
