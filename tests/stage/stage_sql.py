"""Runs statements: the first that knows one answers it, and fakesnow all that nobody here knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import duckdb
import snowflake.connector.errors
from fakesnow import statement_type
from fakesnow.dialect import parse_one
from fakesnow.rowtype import describe_as_rowtype

import definitions
import scripting
import settings
from account import QUALIFIED
from answer import Result, SnowflakeError
from fakes import LEADING_COMMENTS, TRAILING_COMMENTS, merge, on_fakesnow, with_context
from session import Session
from show import show

COMMITTING = re.compile(r"^(?:execute|create|alter|drop|undrop|truncate|comment|grant|revoke)\b(?!\s+session\b)", re.I)
CHANGING = re.compile(
    rf"""^(?:insert\s+(?:overwrite\s+)?into|merge\s+into|update|delete\s+from|copy\s+into
    |truncate\s+(?:table\s+)?(?:if\s+exists\s+)?
    |alter\s+{definitions.RELATION_KINDS}\s+(?:if\s+exists\s+)?
    |create\s+(?:or\s+replace\s+)?(?:\w+\s+)*?(?:table|view)\s+(?:if\s+not\s+exists\s+)?)\s*({QUALIFIED})""",
    re.I | re.X,
)
# Statements that no other transaction may come between: those that only add rows get along with each other.
LOCKING = re.compile(
    rf"""^(?:insert\s+overwrite\s+into|merge\s+into|update|delete\s+from|truncate\s+(?:table\s+)?(?:if\s+exists\s+)?
    |alter\s+table\s+(?:if\s+exists\s+)?|drop\s+table\s+(?:if\s+exists\s+)?
    |create\s+or\s+replace\s+(?:transient\s+)?table\s+)\s*({QUALIFIED})""",
    re.I | re.X,
)


def run(session: Session, sql: str, bindings: dict[str, Any] | None = None) -> Result:
    """Runs one statement."""
    text = TRAILING_COMMENTS.sub("", LEADING_COMMENTS.sub("", sql, count=1), count=1)
    if not text.strip(" ;\n\t"):
        raise SnowflakeError(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
    if block := scripting.BLOCK.match(text):
        return scripting.execute(session, definitions.unquoted(block[1]), run)
    if COMMITTING.match(text):
        session.commit()
    try:
        result = dispatched(session, text, bindings)
    except (snowflake.connector.errors.Error, duckdb.Error) as error:
        raise as_snowflake_says(error, session, sql) from error
    if changed := CHANGING.match(text):
        session.account.changed(session.name(changed[1]))
    return result


def dispatched(session: Session, sql: str, bindings: dict[str, Any] | None) -> Result:
    """The first that knows the statement answers it."""
    if result := show(session, sql):
        return result
    for pattern, answer in ANSWERS:
        if (found := pattern.match(sql)) and (result := answer(session, found)):
            return result
    if re.match(r"merge\s+into\b", sql, re.I):
        return merge(session, sql)
    return on_fakesnow(session, with_context(session, sql), bindings)


def described(session: Session, sql: str) -> Result:
    """The columns that a statement would give."""
    text = TRAILING_COMMENTS.sub("", LEADING_COMMENTS.sub("", sql, count=1), count=1)
    cursor = session.connection.cursor()
    try:
        found = cursor._describe_only(with_context(session, text))
    except (snowflake.connector.errors.Error, duckdb.Error) as error:
        raise as_snowflake_says(error, session, sql) from error
    if found is None:
        return run(session, sql)
    empty = Result.of({}).table
    return Result(empty, describe_as_rowtype(found), statement_type.statement_type_id(parse_one(text)))


ANSWERS: list[tuple[re.Pattern[str], Callable[[Session, re.Match[str]], Result | None]]] = [
    (settings.TRANSACTION, settings.transaction),
    (settings.SESSION_SET, settings.set_parameters),
    (settings.SESSION_UNSET, settings.unset_parameters),
    (settings.USE, settings.use),
    (settings.CANCEL, settings.cancel),
    (settings.ABORT, settings.abort),
    (settings.WAREHOUSE, settings.warehouse),
    (settings.GRANTED, settings.grant),
    (settings.ACCEPTED, lambda session, found: Result.status()),
    (definitions.SWAPPED, definitions.swap),
    (definitions.RENAMED, definitions.rename),
    (definitions.DROPPED, definitions.drop),
    (definitions.TABLE_COMMENT, definitions.comment_table),
    (re.compile(rf"^truncate\s+(?:table\s+)?(if\s+exists\s+)?({QUALIFIED})\s*;?$", re.I), definitions.truncate),
    (definitions.ALTERED, definitions.alter),
    (definitions.CREATED, definitions.create),
]


def as_snowflake_says(error: Exception, session: Session, sql: str) -> SnowflakeError:
    """DuckDB's errors of the common kinds in Snowflake's words, with the place in the statement."""
    message = str(getattr(error, "msg", None) or error)
    if found := re.search(r'Referenced column "(.+?)" not found', message):
        line, position = place_of(found[1], sql)
        text = f"SQL compilation error: error line {line} at position {position}\ninvalid identifier '{found[1]}'"
        return SnowflakeError(904, "42000", text, line, position)
    if found := re.search(r"(?:Table|View) with name (\S+) does not exist", message):
        text = f"SQL compilation error:\nObject '{found[1].strip('!')}' does not exist or not authorized."
        return SnowflakeError(2003, "42S02", text)
    if found := re.search(r"Schema with name (\S+) does not exist|schema \"?([^\s\"]+)\"? does not exist", message, re.I):
        text = f"SQL compilation error:\nSchema '{session.database}.{found[1] or found[2]}' does not exist or not authorized."
        return SnowflakeError(2003, "02000", text)
    if found := re.search(r"Could not convert string '(.*?)' to (?:INT|DECIMAL|DOUBLE|BIGINT|HUGEINT)", message):
        return SnowflakeError(100038, "22018", f"Numeric value '{found[1]}' is not recognized")
    if "NOT NULL constraint failed" in message:
        return SnowflakeError(100072, "22000", "DML operation to table failed. NULL result in a non-nullable column")
    code = getattr(error, "errno", None)
    return SnowflakeError(code if code and code > 0 else 2, getattr(error, "sqlstate", None) or "42000", message)


def place_of(word: str, sql: str) -> tuple[int, int]:
    """Line (from 1) and position in it (from 0) of the first use of a word."""
    found = re.search(rf"\b{re.escape(word)}\b", sql, re.I)
    before = sql[: found.start()] if found else ""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
