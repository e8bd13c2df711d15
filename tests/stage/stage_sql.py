"""Runs statements on fakesnow; what it cannot do, or does otherwise than Snowflake, is done here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import duckdb
import snowflake.connector.errors
from fakesnow import statement_type
from fakesnow.converter import from_binding
from fakesnow.dialect import parse_one
from fakesnow.rowtype import describe_as_rowtype
from fakesnow.transforms.merge import operations
from sqlglot import exp

from account import IDENTIFIER, NOT_THERE, QUALIFIED, DynamicTable, Name, Warehouse, parts_of
from answer import Result, SnowflakeError
from session import Session
from show import show

OPTIONS = re.I | re.S
LEADING_COMMENTS = re.compile(r"^\s*(?:/\*.*?\*/\s*|--[^\n]*(?:\n\s*|$))*", re.S)
TRAILING_COMMENTS = re.compile(r"(?:\s*;?\s*/\*(?:(?!\*/).)*\*/)*\s*;?\s*$", re.S)
RELATION_KINDS = r"(?:dynamic\s+table|iceberg\s+table|dynamic\s+iceberg\s+table|materialized\s+view|table|view)"

# Statements that end an open transaction before they run, since each of them is a transaction of its own.
COMMITTING = re.compile(r"^(?:create|alter|drop|undrop|truncate|comment|grant|revoke)\b(?!\s+session\b)", re.I)
# The relation that a statement changes.
CHANGING = re.compile(
    rf"""^(?:insert\s+(?:overwrite\s+)?into|merge\s+into|update|delete\s+from|copy\s+into
    |truncate\s+(?:table\s+)?(?:if\s+exists\s+)?
    |alter\s+{RELATION_KINDS}\s+(?:if\s+exists\s+)?
    |create\s+(?:or\s+replace\s+)?(?:\w+\s+)*?(?:table|view)\s+(?:if\s+not\s+exists\s+)?)\s*({QUALIFIED})""",
    re.I | re.X,
)
CREATED = re.compile(
    rf"^(create\s+(?:or\s+replace\s+)?)((?:\w+\s+)*?)(table|view)\s+((?:if\s+not\s+exists\s+)?)({QUALIFIED})(.*)$",
    OPTIONS,
)
DROPPED = re.compile(rf"^drop\s+({RELATION_KINDS})\s+((?:if\s+exists\s+)?)({QUALIFIED})\s*(?:cascade|restrict)?\s*;?$", re.I)
RENAMED = re.compile(rf"^alter\s+({RELATION_KINDS})\s+((?:if\s+exists\s+)?)({QUALIFIED})\s+rename\s+to\s+({QUALIFIED})\s*;?$", re.I)
SWAPPED = re.compile(rf"^alter\s+table\s+(?:if\s+exists\s+)?({QUALIFIED})\s+swap\s+with\s+({QUALIFIED})\s*;?$", re.I)
ALTERED = re.compile(rf"^alter\s+(?:iceberg\s+|dynamic\s+)?(table|view)\s+(?:if\s+exists\s+)?({QUALIFIED})\s+(.*?)\s*;?$", OPTIONS)
TEXT = r"(?:\$\$.*?\$\$|'(?:[^'\\]|''|\\.)*')"
COLUMN_COMMENT = re.compile(rf"\s*(?:column\s+)?({IDENTIFIER})\s+comment\s+({TEXT})\s*(?:,|$)", OPTIONS)
TABLE_COMMENT = re.compile(
    rf"^comment\s+(?:if\s+exists\s+)?on\s+{RELATION_KINDS}\s+({QUALIFIED})\s+is\s+({TEXT})\s*;?$", OPTIONS
)
CLUSTERING = re.compile(r"^(?:cluster\s+by\b|drop\s+clustering\b|(?:resume|suspend)\s+recluster\b)", re.I)
POLICIES = re.compile(
    rf"\s+with\s+(?:row\s+access\s+policy\s+{QUALIFIED}\s+on\s*\([^)]*\)|tag\s*\((?:[^()']|'(?:[^']|'')*')*\))", re.I
)
# Keys say nothing here: Snowflake does not check them either, and DuckDB takes none beside a query.
KEYS = re.compile(
    rf"""(?:\s*,)?(?:\s+constraint\s+{IDENTIFIER})?\s+(?:primary\s+key|unique|foreign\s+key)\b(?:\s*\([^)]*\))?
    (?:\s+references\s+{QUALIFIED}\s*(?:\([^)]*\))?)?(?:\s+not\s+enforced)?""",
    re.I | re.X,
)
POLICY_CHANGE = re.compile(r"^(?:(?:un)?set\s+tag\b|(?:add|drop)\s+row\s+access\s+policy\b|set\s+(?:comment|secure|\w+\s*=)|unset\s)", re.I)
ICEBERG_OPTIONS = re.compile(
    r"\b(?:external_volume|catalog|base_location|storage_serialization_policy|max_data_extension_time_in_days"
    r"|data_retention_time_in_days|change_tracking|target_file_size|iceberg_version|catalog_sync|path_layout)\s*=\s*(?:'[^']*'|\w+)", re.I,
)
DYNAMIC_OPTION = re.compile(
    r"""\s*(target_lag|warehouse|refresh_mode|initialize|initialization_warehouse|scheduler)\s*=\s*(?:'([^']*)'|"([^"]*)"|(\w+))""", re.I
)
SESSION_SET = re.compile(r"^alter\s+session\s+set\s+(.*?)\s*;?$", OPTIONS)
SESSION_UNSET = re.compile(r"^alter\s+session\s+unset\s+(.*?)\s*;?$", OPTIONS)
PARAMETER = re.compile(r"(\w+)\s*=\s*(?:'((?:[^'\\]|''|\\.)*)'|([^\s,']+))")
USE = re.compile(rf"^use\s+(warehouse|role|secondary\s+roles)\s+({QUALIFIED})\s*;?$", re.I)
WAREHOUSE = re.compile(
    rf"^(create\s+(?:or\s+replace\s+)?|alter\s+|drop\s+)warehouse\s+((?:if\s+(?:not\s+)?exists\s+)?)({QUALIFIED})\s*(.*?)\s*;?$", OPTIONS
)
GRANTED = re.compile(
    rf"^(grant|revoke)\s+(.+?)\s+on\s+(?:{RELATION_KINDS}\s+)?({QUALIFIED})\s+(?:to|from)\s+((?:(?:database\s+)?role|share)\s+)?({QUALIFIED})", re.I
)
ACCEPTED = re.compile(
    r"^(?:grant|revoke|create\s+(?:or\s+replace\s+)?(?:role|tag|row\s+access\s+policy|masking\s+policy)|alter\s+(?:session|account|user)"
    r"|drop\s+(?:role|tag|row\s+access\s+policy))\b", re.I,
)  # fmt: skip
TRANSACTION = re.compile(r"^(begin|start|commit|rollback)(?:\s+(?:transaction|work))?\s*;?$", re.I)
RESULT_SCAN = re.compile(r"table\s*\(\s*result_scan\s*\(\s*(last_query_id\s*\(\s*\)|'[^']+')\s*\)\s*\)", re.I)
SIZES = {size.replace("-", "").upper(): size for size in (
    "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large", "6X-Large")}  # fmt: skip
ATTEMPTS = 5


def run(session: Session, sql: str, bindings: dict[str, Any] | None = None) -> Result:
    """Runs one statement."""
    text = TRAILING_COMMENTS.sub("", LEADING_COMMENTS.sub("", sql, count=1), count=1)
    if not text.strip(" ;\n\t"):
        raise SnowflakeError(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
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


# --- by fakesnow ---------------------------------------------------------------------------------------------------


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


# --- DML -----------------------------------------------------------------------------------------------------------


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


def transaction(session: Session, found: re.Match[str]) -> Result:
    word = found[1].lower()
    {"begin": session.begin, "start": session.begin, "commit": session.commit, "rollback": session.rollback}[word]()
    return Result.status()


# --- DDL -----------------------------------------------------------------------------------------------------------


def create(session: Session, found: re.Match[str]) -> Result | None:
    """Tables and views of the kinds that fakesnow does not know, and what is known of what they replace."""
    head, kinds, kind, condition, written, rest = found.groups()
    words = kinds.lower().split()
    name = session.name(written)
    replaces = "replace" in head.lower()
    kept = session.account.grants.get(name) if re.search(r"\bcopy\s+grants\b", rest, re.I) else None
    if replaces:
        other = "view" if kind.lower() == "table" else "table"
        if exists(session, name, other):
            raise SnowflakeError(2203, "42710", f"SQL compilation error:\nObject '{name.identifier}' already exists as {other.upper()}")
    head_of_rest, query = at_as(rest)
    rest, comment, columns = without_comments(POLICIES.sub("", head_of_rest))
    if "dynamic" in words:
        return create_dynamic_table(session, head, name, rest, query)
    rest = (KEYS.sub("", rest) if query else rest) + query
    sql = f"{head}{kind} {condition}{name.quoted()}{rest}"
    if "iceberg" in words:
        sql = f"{head}table {condition}{name.quoted()}{ICEBERG_OPTIONS.sub('', rest)}"
    elif "secure" in words or "transient" in words:
        sql = f"{head}{kinds}{kind} {condition}{name.quoted()}{rest}"
    result = on_fakesnow(session, with_context(session, sql))
    if {"temporary", "temp", "volatile"} & set(words):
        session.temporary.append((kind.lower(), name))
    if replaces:
        session.account.forget(name)
        if kept:
            session.account.grants[name] = kept
    if "iceberg" in words:
        session.account.iceberg_tables.add(name)
    for column, text in columns:
        set_comment(session, f"column {name.quoted()}.{column}", text)
    if comment is not None:
        set_comment(session, f"{kind} {name.quoted()}", comment)
    return result


def at_as(text: str) -> tuple[str, str]:
    """What stands before the AS of a CREATE, and AS with the query; no query where there is none."""
    depth = 0
    for token in re.finditer(r"\$\$.*?\$\$|'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|[()]|\bas\b", text, OPTIONS):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0 and token[0].lower() == "as":
            return text[: token.start()], text[token.start() :]
    return text, ""


def without_comments(text: str) -> tuple[str, str | None, list[tuple[str, str]]]:
    """What stands before AS without its comments; the relation's comment, and those of columns, as they are."""
    columns: list[tuple[str, str]] = []

    def of_column(found: re.Match[str]) -> str:
        columns.append((found[1], unquoted(found[2])))
        return found[1]

    text = re.sub(rf"({IDENTIFIER})\s+comment\s+({TEXT})", of_column, text, flags=OPTIONS)
    found = re.search(rf"\bcomment\s*=\s*({TEXT})", text, OPTIONS)
    if not found:
        return text, None, columns
    return text[: found.start()] + text[found.end() :], unquoted(found[1]), columns


def unquoted(literal: str) -> str:
    """The text that a literal stands for."""
    if literal.startswith("$$"):
        return literal[2:-2]
    return re.sub(r"''|\\(.)", lambda found: found[1] or "'", literal[1:-1], flags=re.S)


def set_comment(session: Session, what: str, text: str) -> None:
    literal = text.replace("'", "''")
    session.connection._duck_conn.execute(f"comment on {what} is '{literal}'")


def exists(session: Session, name: Name, kind: str) -> bool:
    found = session.connection._duck_conn.execute(
        f"select 1 from duckdb_{kind}s() where database_name = ? and schema_name = ? and {kind}_name = ?",
        [name.database, name.schema, name.identifier],
    )
    return found.fetchone() is not None


def create_dynamic_table(session: Session, head: str, name: Name, rest: str, query: str) -> Result:
    """A dynamic table is a table here, which its query fills anew at each refresh."""
    options = {"refresh_mode": "AUTO", "initialize": "ON_CREATE", **options_of(rest)}
    for missing in {"target_lag", "warehouse"} - set(options):
        raise SnowflakeError(2040, "0A000", f"SQL compilation error:\nMissing option(s): [{missing.upper()}]")
    session.account.warehouse(options["warehouse"].upper())
    query = re.sub(r"^as\b", "", query.strip(), flags=re.I)
    replace = "create or replace" if "replace" in head.lower() else "create"
    on_fakesnow(session, f"{replace} table {name.quoted()} as {query}")
    session.account.forget(name)
    options["warehouse"] = options["warehouse"].upper()
    options["refresh_mode"] = {"AUTO": "INCREMENTAL"}.get(options["refresh_mode"].upper(), options["refresh_mode"].upper())
    session.account.dynamic_tables[name] = DynamicTable(query, options)
    return Result.status(f"Dynamic table {name.identifier} successfully created.")


def options_of(text: str) -> dict[str, str]:
    found = DYNAMIC_OPTION.finditer(text)
    return {one[1].lower(): next(value for value in one.groups()[1:] if value is not None) for one in found}


def alter(session: Session, found: re.Match[str]) -> Result | None:
    """Changes that fakesnow does not know."""
    kind, written, change = found[1].lower(), found[2], found[3].strip()
    name = session.name(written)
    if dynamic := session.account.dynamic_tables.get(name):
        if re.match(r"refresh\b", change, re.I):
            return on_fakesnow(session, f"create or replace table {name.quoted()} as {dynamic.query}")
        if re.match(r"(suspend|resume)\b", change, re.I):
            return Result.status()
        if re.match(r"set\b", change, re.I) and (options := options_of(change[3:])):
            dynamic.options |= {key: value if key == "target_lag" else value.upper() for key, value in options.items()}
            return Result.status()
    if not exists(session, name, "table") and not exists(session, name, "view"):
        raise SnowflakeError(2003, "42S02", f"SQL compilation error:\nTable '{name.identifier}' does not exist or not authorized.")
    if CLUSTERING.match(change) or POLICY_CHANGE.match(change):
        return Result.status()
    if comments := re.match(r"(?:alter|modify)\s+(?=.*\bcomment\b)(.*)$", change, OPTIONS):
        return comment_columns(session, name, comments[1])
    if drops := re.match(r"drop\s+column\s+(?!if\b)(.+,.+)$", change, OPTIONS):
        for column in drops[1].split(","):
            on_fakesnow(session, f"alter {kind} {name.quoted()} drop column {column.strip()}")
        return Result.status()
    change = re.sub(r"\bSTRING\b", "VARCHAR", change) if name in session.account.iceberg_tables else change
    return on_fakesnow(session, f"alter {kind} {name.quoted()} {change}")


def comment_columns(session: Session, name: Name, comments: str) -> Result:
    """ALTER … ALTER column COMMENT …, …"""
    for found in COLUMN_COMMENT.finditer(comments):
        column = parts_of(found[1])[0].replace('"', '""')
        set_comment(session, f'column {name.quoted()}."{column}"', unquoted(found[2]))
    return Result.status()


def comment_table(session: Session, found: re.Match[str]) -> Result:
    name = session.name(found[1])
    kind = "view" if exists(session, name, "view") else "table"
    set_comment(session, f"{kind} {name.quoted()}", unquoted(found[2]))
    return Result.status()


def drop(session: Session, found: re.Match[str]) -> Result:
    kind, condition, name = found[1].lower().split()[-1], found[2], session.name(found[3])
    if not exists(session, name, kind):
        other = "table" if kind == "view" else "view"
        if exists(session, name, other):
            raise SnowflakeError(2203, "02000", f"SQL compilation error:\nObject found is of type '{other.upper()}', not specified type '{kind.upper()}'.")
        if condition:
            return Result.status("Drop statement executed successfully (" + name.identifier + " already dropped).")
        raise SnowflakeError(2003, "42S02", f"SQL compilation error:\n{kind.title()} '{name.identifier}' does not exist or not authorized.")
    session.connection._duck_conn.execute(f"drop {kind} {name.quoted()}")
    session.account.forget(name)
    return Result.status(f"{name.identifier} successfully dropped.")


def rename(session: Session, found: re.Match[str]) -> Result:
    kind, old = found[1].lower().split()[-1], session.name(found[3])
    new = Name(*[old.database, old.schema][: 3 - len(parts_of(found[4]))], *parts_of(found[4]))
    if not exists(session, old, kind):
        raise SnowflakeError(2003, "42S02", f"SQL compilation error:\n{kind.title()} '{old.identifier}' does not exist or not authorized.")
    if exists(session, new, "table") or exists(session, new, "view"):
        raise SnowflakeError(2002, "42710", f"SQL compilation error:\nObject '{new.identifier}' already exists.")
    move(session, kind, old, new)
    return Result.status()


def move(session: Session, kind: str, old: Name, new: Name) -> None:
    """Renames; DuckDB cannot rename into another schema, so the relation is made there anew."""
    connection = session.connection._duck_conn
    identifier = new.identifier.replace('"', '""')
    if (old.database, old.schema) == (new.database, new.schema):
        connection.execute(f'alter {kind} {old.quoted()} rename to "{identifier}"')
    else:
        connection.execute(f"create {kind} {new.quoted()} as select * from {old.quoted()}")
        connection.execute(f"drop {kind} {old.quoted()}")
    session.account.renamed(old, new)


def swap(session: Session, found: re.Match[str]) -> Result:
    one, other = session.name(found[1]), session.name(found[2])
    between = Name(one.database, one.schema, "__STAGE_SWAP")
    move(session, "table", one, between)
    move(session, "table", other, one)
    move(session, "table", between, other)
    return Result.status()


def truncate(session: Session, found: re.Match[str]) -> Result:
    name = session.name(found[2])
    if found[1] and not exists(session, name, "table"):
        return Result.status()
    return on_fakesnow(session, f"truncate table {name.quoted()}")


# --- the session, and the account ----------------------------------------------------------------------------------


def set_parameters(session: Session, found: re.Match[str]) -> Result:
    for parameter in PARAMETER.finditer(found[1]):
        value = parameter[2] if parameter[2] is not None else parameter[3]
        session.parameters[parameter[1].upper()] = value.replace("''", "'")
    return Result.status()


def unset_parameters(session: Session, found: re.Match[str]) -> Result:
    for name in found[1].split(","):
        session.parameters.pop(name.strip().upper(), None)
    return Result.status()


def use(session: Session, found: re.Match[str]) -> Result:
    kind, name = found[1].lower(), parts_of(found[2])[-1]
    if kind == "warehouse":
        session.account.warehouse(name)
        session.warehouse = name
    elif kind == "role":
        session.role = name
    return Result.status()


def warehouse(session: Session, found: re.Match[str]) -> Result:
    """CREATE, ALTER and DROP WAREHOUSE."""
    verb, condition, written, rest = found[1].split()[0].lower(), found[2].lower(), found[3], found[4]
    name = parts_of(written)[-1]
    known = session.account.warehouses
    if verb == "create":
        if not ("not exists" in condition and name in known):
            known[name] = Warehouse()
            set_warehouse(known[name], rest)
        return Result.status(f"Warehouse {name} successfully created.")
    if name not in known and "exists" in condition:
        return Result.status()
    one = session.account.warehouse(name)
    if verb == "drop":
        del known[name]
    elif re.match(r"suspend\b", rest, re.I):
        one.state = "SUSPENDED"
    elif re.match(r"resume\b", rest, re.I):
        if one.state == "STARTED" and "if suspended" not in rest.lower():
            raise SnowflakeError(90064, "22000", f"Invalid state. Warehouse '{name}' cannot be resumed.")
        one.state = "STARTED"
    else:
        set_warehouse(one, re.sub(r"^set\s+", "", rest, flags=re.I))
    return Result.status()


def set_warehouse(one: Warehouse, text: str) -> None:
    for option in PARAMETER.finditer(text):
        key, value = option[1].lower(), option[2] if option[2] is not None else option[3]
        if key == "warehouse_size":
            size = re.sub(r"[-\s]", "", value).upper()
            if size not in SIZES:
                raise SnowflakeError(1422, "22023", f"SQL compilation error:\ninvalid value [{value}] for parameter 'WAREHOUSE_SIZE'")
            one.size = SIZES[size]
        elif key == "auto_suspend":
            one.auto_suspend = None if value.upper() == "NULL" else int(value)
        elif key in ("min_cluster_count", "max_cluster_count"):
            setattr(one, key, int(value))
        else:
            one.more[key.upper()] = value
    if one.min_cluster_count > one.max_cluster_count:
        raise SnowflakeError(2300, "42601", "SQL compilation error: MIN_CLUSTER_COUNT cannot be greater than MAX_CLUSTER_COUNT")


def grant(session: Session, found: re.Match[str]) -> Result:
    verb, privileges, written, kind, grantee = found.groups()
    name = session.name(written)
    if not exists(session, name, "table") and not exists(session, name, "view"):
        raise SnowflakeError(2003, "42S02", NOT_THERE)
    held = session.account.grants.setdefault(name, {})
    for privilege in privileges.upper().split(","):
        key = (privilege.strip(), ".".join(parts_of(grantee)))
        if verb.lower() == "grant":
            held[key] = (kind or "role").strip().upper().replace(" ", "_")
        else:
            held.pop(key, None)
    return Result.status()


ANSWERS: list[tuple[re.Pattern[str], Callable[[Session, re.Match[str]], Result | None]]] = [
    (TRANSACTION, transaction),
    (SESSION_SET, set_parameters),
    (SESSION_UNSET, unset_parameters),
    (USE, use),
    (WAREHOUSE, warehouse),
    (GRANTED, grant),
    (ACCEPTED, lambda session, found: Result.status()),
    (SWAPPED, swap),
    (RENAMED, rename),
    (DROPPED, drop),
    (TABLE_COMMENT, comment_table),
    (re.compile(rf"^truncate\s+(?:table\s+)?(if\s+exists\s+)?({QUALIFIED})\s*;?$", re.I), truncate),
    (ALTERED, alter),
    (CREATED, create),
]


# --- errors --------------------------------------------------------------------------------------------------------


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
