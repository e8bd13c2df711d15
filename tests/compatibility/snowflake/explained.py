"""The differences that are known and explained in docs/compatibility.md: each rule takes one of them away."""

from __future__ import annotations

import re
from collections.abc import Callable

# The statements of a node as dbt and as strata sent them.
Pair = tuple[list[str], list[str]]


def schemas_at_the_start(node: str, dbt: list[str], strata: list[str]) -> Pair:
    """dbt creates the schemas that lack, strata lets the warehouse see which do."""
    if node:
        return dbt, strata
    is_schema = re.compile(r"create schema if not exists \S+$")
    return [sql for sql in dbt if not is_schema.match(sql)], [sql for sql in strata if not is_schema.match(sql)]


def drops_of_nothing(node: str, dbt: list[str], strata: list[str]) -> Pair:
    """dbt drops a temporary relation that the node has not made."""
    dropped = re.compile(r"drop (?:view|table) if exists (\S+__dbt_tmp\S*) cascade$")
    kept = []
    for at, sql in enumerate(dbt):
        match = dropped.match(sql)
        if not match or any(match[1] in made for made in dbt[:at]):
            kept.append(sql)
    return kept, strata


def quotes_in_query_tags(node: str, dbt: list[str], strata: list[str]) -> Pair:
    """dbt does not double the quotes in a query tag."""
    tag = re.compile(r"alter session set query_tag='(.*)'$")
    fixed = [tag.sub(lambda match: f"alter session set query_tag='{match[1].replace(chr(39), chr(39) * 2)}'", sql) for sql in dbt]
    return fixed, strata


def warehouse_of_dynamic_tables(node: str, dbt: list[str], strata: list[str]) -> Pair:
    """dbt takes a name in small letters for another warehouse than the one in capitals."""
    named = re.compile(r"(alter dynamic table .*) warehouse=\w+$")
    return [named.sub(r"\1", sql) for sql in dbt], strata


def ways_of_snapshots(node: str, dbt: list[str], strata: list[str]) -> Pair:
    """strata reads the query once, into a table of its own, and its rules keep a history without gaps: what is compared
    is which tables are made, merged into and dropped. Their rows are compared anyway."""
    if not node.startswith("snapshot."):
        return dbt, strata
    own = re.compile(r'(?:create or replace temporary|drop) table (?:if exists )?\S*__dbt_source"?\b')
    last = re.compile(r'drop table if exists \S*__dbt_tmp"? cascade$')
    shape = re.compile(r"^(create or replace (?:temporary |transient )?table \S+ as|merge into \S+ as)\b.*")
    shapes = lambda statements: [shape.sub(r"\1", sql) for sql in statements if not own.match(sql) and not last.match(sql)]
    return shapes(dbt), shapes(strata)


def relations_of_another_kind(node: str, dbt: list[str], strata: list[str]) -> Pair:
    """dbt drops what stands in the place, strata makes the new one beside it and changes both names at once."""
    taken = [sql for sql in strata if sql.startswith("execute immediate")]
    if not taken:
        return dbt, strata
    dropped = re.compile(r'drop (?:view|table|dynamic table) if exists \S+ cascade$')
    ours = [sql.replace("__dbt_new", "") for sql in strata if sql not in taken]
    return [sql for sql in dbt if not dropped.match(sql)], ours


def ways_of_seeds(node: str, dbt: list[str], strata: list[str]) -> Pair:
    """dbt empties the table and then fills it, value by value as texts; strata fills a table of its own, whose rows take
    the place of the old ones in one transaction."""
    if not node.startswith("seed."):
        return dbt, strata
    own = re.compile(r'(?:create or replace temporary|drop) table (?:if exists )?\S*__seed"?|insert into \S*__seed"?\b')
    emptied = re.compile(r"truncate table |delete from ")
    values = re.compile(r"^(insert into [^\s(]+)\(.*")
    kept = lambda statements: [
        values.sub(r"\1", sql) for sql in statements if not own.match(sql) and not emptied.match(sql)
    ]
    return kept(dbt), kept(strata)


RULES: list[Callable[[str, list[str], list[str]], Pair]] = [
    schemas_at_the_start,
    drops_of_nothing,
    quotes_in_query_tags,
    warehouse_of_dynamic_tables,
    ways_of_snapshots,
    relations_of_another_kind,
    ways_of_seeds,
]


def explained(node: str, dbt: list[str], strata: list[str]) -> tuple[list[str], list[str], list[str]]:
    """What is left of the differences of a node's statements, and the names of the rules that took something away."""
    names = []
    for rule in RULES:
        if dbt == strata:
            break
        changed = rule(node, dbt, strata)
        if changed != (dbt, strata):
            names.append(rule.__name__)
            dbt, strata = changed
    return dbt, strata, names
