"""What fakesnow runs as it is: its answers in Snowflake's shape, and the few functions that it does not know."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import snowflake.connector.errors
from fakesnow import statement_type, transforms
from fakesnow.converter import from_binding
from fakesnow.dialect import parse_one
from fakesnow.rowtype import describe_as_rowtype
from fakesnow.transforms.merge import operations
from sqlglot import exp

from account import Name
from answer import Result, SnowflakeError
from session import Session

OPTIONS = re.I | re.S
LEADING_COMMENTS = re.compile(r"^\s*(?:/\*.*?\*/\s*|--[^\n]*(?:\n\s*|$))*", re.S)
TRAILING_COMMENTS = re.compile(r"(?:\s*;?\s*/\*(?:(?!\*/).)*\*/)*\s*;?\s*$", re.S)
RESULT_SCAN = re.compile(r"table\s*\(\s*result_scan\s*\(\s*(last_query_id\s*\(\s*\)|'[^']+')\s*\)\s*\)", re.I)
ATTEMPTS = 5


def nested_timestamps(expression: exp.Expr) -> exp.Expr:
    """fakesnow's TO_TIMESTAMP, also within the arguments of another one: it looks no further where it has found one."""
    changed = plain_timestamps(expression)
    if changed is not expression:
        changed.set("expressions", [argument.transform(nested_timestamps) for argument in changed.expressions])
    return changed


plain_timestamps = transforms.to_timestamp
transforms.to_timestamp = nested_timestamps


def on_fakesnow(session: Session, sql: str, bindings: dict[str, Any] | None = None) -> Result:
    """Runs a statement as fakesnow does, once more where DuckDB has met another session's change of its catalog."""
    for attempt in range(ATTEMPTS):
        try:
            return attempted(session, sql, bindings)
        except duckdb.TransactionException as error:
            if session.in_transaction or attempt + 1 == ATTEMPTS or "conflict" not in str(error).lower():
                raise
    raise AssertionError("the last attempt returns or raises")


def attempted(session: Session, sql: str, bindings: dict[str, Any] | None) -> Result:
    expression = parse_one(sql)
    type_id = statement_type.statement_type_id(expression)
    if isinstance(expression, exp.Command) and not isinstance(expression, exp.Describe):
        type_id = {"SHOW": statement_type.SHOW, "PUT": statement_type.UNKNOWN}.get(expression.name.upper(), statement_type.DDL)
    cursor = session.connection.cursor()
    rows = array_of(bindings)
    total = 0
    for row in rows:
        cursor.execute(sql, binding_params=row, server=True)
        total += cursor.rowcount or 0
    if len(rows) > 1:
        return Result.of({"number of rows inserted": [total]}, type_id)
    if upload := cursor._last_transformed.args.get("put_stage_data"):
        return Result(Result.status().table, [], type_id, {"data": upload, "expression": cursor._last_transformed})
    table = cursor._arrow_table
    try:
        rowtype = describe_as_rowtype(cursor._describe_last_sql())
    except snowflake.connector.errors.ProgrammingError:
        if type_id != statement_type.DDL:
            raise
        return Result.status()
    except NotImplementedError as error:
        raise SnowflakeError(2, "0A000", f"the stage has no type of Snowflake {error}") from error
    if type_id == statement_type.UNKNOWN and isinstance(expression, exp.Query):
        type_id = statement_type.SELECT
    return Result(table, rowtype, type_id)


def array_of(bindings: dict[str, Any] | None) -> list[Any]:
    """The values of each row to bind; a single row for ordinary bindings, and for none."""
    if not bindings:
        return [None]
    if not all(key.isdigit() for key in bindings):
        return [{name: from_binding(binding) for name, binding in bindings.items()}]
    ordered = [bindings[str(position)] for position in range(1, len(bindings) + 1)]
    if not any(isinstance(binding["value"], list) for binding in ordered):
        return [tuple(from_binding(binding) for binding in ordered)]
    columns = [[from_binding({**binding, "value": value}) for value in binding["value"]] for binding in ordered]
    return list(zip(*columns, strict=True))


def with_context(session: Session, sql: str) -> str:
    """The statement with the answers of the context functions that fakesnow does not know."""
    values = {
        "current_warehouse": session.warehouse,
        "current_role": session.role,
        "current_user": session.user,
        "current_account": "STAGE",
        "current_session": str(session.id),
        "current_region": "AWS_EU_WEST_1",
        "current_available_roles": f'["{session.role}"]',
        "current_secondary_roles": '{"roles":"","value":""}',
    }
    literal = lambda value: "null" if value is None else f"'{value}'"
    names = "|".join(values)
    pattern = re.compile(rf"('(?:[^'\\]|''|\\.)*')|\b({names})\s*\(\s*\)", re.I)
    sql = pattern.sub(lambda found: found[1] or literal(values[found[2].lower()]), sql)
    if scan := RESULT_SCAN.search(sql):
        wanted = scan[1].strip("'")
        query_id = wanted if wanted in session.results else next(reversed(session.results), None)
        if query_id is None or (scan[1].startswith("'") and query_id != wanted):
            raise SnowflakeError(709, "02000", f"Statement {wanted} not found")
        session.connection._duck_conn.register("_STAGE_RESULT", session.results[query_id].table)
        sql = RESULT_SCAN.sub("_STAGE_RESULT", sql)
    return sql


def merge(session: Session, sql: str) -> Result:
    """MERGE by DuckDB's own, which reads names as Snowflake does."""
    cursor = session.connection.cursor()
    expression = parse_one(sql)
    counted = {name: 0 for name, clauses in operations(expression).items() if clauses}
    cursor.check_db_and_schema(expression)
    duck = cursor._transform(expression, None).sql(dialect="duckdb")
    try:
        actions = session.connection._duck_conn.execute(f"{duck} returning merge_action").fetchall()
    except duckdb.InvalidInputException as error:
        if "more than once" in str(error):
            raise SnowflakeError(100090, "42P18", "Duplicate row detected during DML action") from error
        raise
    names = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}
    for (action,) in actions:
        counted[names[action]] += 1
    return Result.of({f"number of rows {name}": [count] for name, count in counted.items()}, statement_type.MERGE)


def exists(session: Session, name: Name, kind: str) -> bool:
    found = session.connection._duck_conn.execute(
        f"select 1 from duckdb_{kind}s() where database_name = ? and schema_name = ? and {kind}_name = ?",
        [name.database, name.schema, name.identifier],
    )
    return found.fetchone() is not None
