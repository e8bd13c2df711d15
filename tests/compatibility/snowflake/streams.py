"""Statements as they are compared: per node, without what may differ from run to run."""

from __future__ import annotations

import re
from collections import defaultdict

COMMENT = re.compile(r"/\*\s*(.*?)\s*\*/\s*;?\s*$", re.S)
ANY_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.S)
LITERAL = re.compile(r"""(\$\$.*?\$\$|'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*")""", re.S)
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d:?\d\d|Z)?")
# What only asks, or says how the session is to be: fewer of these are no difference in what is built.
QUESTION = re.compile(r"^(?:select|show|describe|desc|with)\b", re.I)
# The tables in which strata keeps its books, and the transactions in which their rows stand.
BOOKS = re.compile(r"_strata_control\b", re.I)
TRANSACTION = re.compile(r"^(?:begin|commit)$")


def by_node(statements: list[dict[str, str]], database: str) -> dict[str, list[str]]:
    """The statements of each node, in their order; those of no node are under the empty name."""
    nodes: dict[str, list[str]] = defaultdict(list)
    for statement in statements:
        sql = statement["sql"]
        comment = COMMENT.search(sql)
        node = comment[1] if comment and re.fullmatch(r"[a-z_]+\.[\w.]+", comment[1]) else ""
        if text := normalised(sql, database):
            nodes[node].append(text)
    return dict(nodes)


def normalised(sql: str, database: str) -> str:
    """A statement without comments, spacing, letter case and the database that this tool was given."""
    parts = LITERAL.split(sql)
    for at, part in enumerate(parts):
        if at % 2 == 0:
            part = ANY_COMMENT.sub(" ", part).lower()
            part = re.sub(r"\s+", " ", part)
            parts[at] = re.sub(r"\s*([(),;=])\s*", r"\1", part)
        elif part.startswith("'"):
            parts[at] = TIME.sub("<time>", part)
    text = "".join(parts).strip(" ;")
    text = re.sub(rf"\b{database}\b", "<database>", text, flags=re.I)
    text = re.sub(rf"\b{database}_", "<database>_", text, flags=re.I)
    text = re.sub(r"\s+", " ", text)
    return text.strip()


def written(statements: list[str]) -> list[str]:
    """Those that change something, beside the rows of the control tables."""
    left_out = (QUESTION.match, BOOKS.search, TRANSACTION.match)
    return [statement for statement in statements if not any(test(statement) for test in left_out)]
