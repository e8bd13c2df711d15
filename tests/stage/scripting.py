"""Blocks of Snowflake's scripting: statements that one request carries out, with what is done where one fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from answer import Result, SnowflakeError

if TYPE_CHECKING:
    from session import Session

BLOCK = re.compile(r"^execute\s+immediate\s+(\$\$.*\$\$|'(?:[^'\\]|''|\\.)*')\s*;?$", re.I | re.S)
PIECE = re.compile(r"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|/\*.*?\*/|--[^\n]*|;|[^;'\"/-]+|.", re.S)

Run = Callable[["Session", str], Result]


def statements(text: str) -> Iterator[str]:
    """The text between semicolons, comments left out; BEGIN and EXCEPTION WHEN OTHER THEN stand for themselves."""
    rest = ""
    for piece in PIECE.findall(text):
        if piece.startswith(("/*", "--")):
            continue
        if piece != ";":
            rest += piece
            continue
        while word := re.match(r"\s*(begin(?!\s+(?:transaction|work)\b)|exception\s+when\s+other\s+then)\b", rest, re.I):
            yield " ".join(word[1].lower().split())
            rest = rest[word.end() :]
        yield rest.strip()
        rest = ""


class Block:
    """One block, read from its statements."""

    def __init__(self, rest: Iterator[str]) -> None:
        self.body: list[str | Block] = []
        self.handler: list[str | Block] | None = None
        current = self.body
        for statement in rest:
            if statement == "begin":
                current.append(Block(rest))
            elif statement == "exception when other then":
                current = self.handler = []
            elif statement.lower() == "end":
                return
            else:
                current.append(statement)
        raise SnowflakeError(1003, "42000", "SQL compilation error:\nsyntax error: unexpected end of a block.")

    def run(self, session: Session, run: Run) -> None:
        try:
            self._each(self.body, session, run, None)
        except SnowflakeError as error:
            if self.handler is None:
                raise
            self._each(self.handler, session, run, error)

    @staticmethod
    def _each(steps: list[str | Block], session: Session, run: Run, error: SnowflakeError | None) -> None:
        for step in steps:
            if isinstance(step, Block):
                step.run(session, run)
            elif step.lower() == "raise" and error:
                raise error
            elif step.lower() != "null":
                run(session, step)


def execute(session: Session, text: str, run: Run) -> Result:
    """EXECUTE IMMEDIATE of a block."""
    rest = statements(text + ";")
    if next(rest, "") != "begin":
        raise SnowflakeError(2, "0A000", "the stage runs blocks only")
    Block(rest).run(session, run)
    return Result.of({"anonymous block": [None]})
