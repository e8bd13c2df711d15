"""Prints how two target directories differ: nodes, their statuses and failures, their compiled SQL.

    python3 compare.py REFERENCE OTHER

SQL is compared without regard to blanks. Exits with 1 if a status or a number of failures differs.
"""

import json
import pathlib
import re
import sys


def squeezed(sql):
    """SQL with its blanks made alike; those inside string literals too, which is close enough for a comparison."""
    return re.sub(r"\s*([(),\[\]])\s*", r"\1", re.sub(r"\s+", " ", sql or "")).strip()


def results(directory):
    """What became of each node: unique id -> (status, failures, SQL, message)."""
    document = json.loads((pathlib.Path(directory) / "run_results.json").read_text())
    return {
        result["unique_id"]: (
            result["status"],
            result.get("failures"),
            squeezed(result.get("compiled_code")),
            result.get("message"),
        )
        for result in document["results"]
    }


def main(reference, other):
    first, second = results(reference), results(other)
    unlike = sql = 0
    for node in sorted(first.keys() | second.keys()):
        one, two = first.get(node), second.get(node)
        if one is None or two is None or one[:2] != two[:2]:
            unlike += 1
            print(node)
            for side, outcome in ((reference, one), (other, two)):
                said = "not there" if outcome is None else f"{outcome[0]}, failures {outcome[1]}: {outcome[3]}"
                print(f"    {pathlib.Path(side).name}: {said}")
        elif one[2] != two[2]:
            sql += 1
            print(f"{node}\n    {one[0]} in both, from other SQL")
    counts = {}
    for outcome in first.values():
        counts[outcome[0]] = counts.get(outcome[0], 0) + 1
    said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    print(f"{len(first)} nodes in {pathlib.Path(reference).name} ({said}), {len(second)} in {pathlib.Path(other).name}:")
    print(f"{unlike} with another outcome, {sql} with the same outcome from other SQL")
    return 1 if unlike else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
