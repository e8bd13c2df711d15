"""Definitions: CREATE, ALTER, DROP and their kin, as far as fakesnow does them otherwise than Snowflake."""

from __future__ import annotations

import re

from account import IDENTIFIER, QUALIFIED, DynamicTable, Name, parts_of
from answer import Result, SnowflakeError
from fakes import OPTIONS, exists, on_fakesnow, with_context
from session import Session

RELATION_KINDS = r"(?:dynamic\s+table|iceberg\s+table|dynamic\s+iceberg\s+table|materialized\s+view|table|view)"
CREATED = re.compile(
    rf"^(create\s+(?:or\s+replace\s+)?)((?:\w+\s+)*?)(table|view)\s+((?:if\s+not\s+exists\s+)?)({QUALIFIED})(.*)$",
    OPTIONS,
)
CLONED = re.compile(rf"^\s*clone\s+({QUALIFIED})(?:\s+copy\s+grants)?\s*;?$", re.I)
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
    if cloned := CLONED.match(rest):
        rest = rows_of(session, session.name(cloned[1]))
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


def rows_of(session: Session, original: Name) -> str:
    """What makes a clone of a table: nobody tells its rows from those of a copy."""
    if not exists(session, original, "table"):
        raise SnowflakeError(2003, "42S02", f"SQL compilation error:\nTable '{original.identifier}' does not exist or not authorized.")
    return f" as select * from {original.quoted()}"


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
