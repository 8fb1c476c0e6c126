"""Print the statistics of every curated task: python -m tools.describe_data"""

from __future__ import annotations

import json
import statistics
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "data"
MOST_VALUES, LONGEST = 25, 40
APART = {"id", "difficulty"}


def main() -> int:
    """One block a folder: counts of every label, lengths in words, deciles of difficulty."""
    for folder in sorted(path.parent for path in DATA.glob("*/items.jsonl")):
        items = [json.loads(line) for line in (folder / "items.jsonl").read_text("utf-8").splitlines()]
        about = tomllib.loads((folder / "task.toml").read_text("utf-8"))
        print("\n".join(described(folder.name, items, about)))
    return 0


def described(name: str, items: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> list[str]:
    """The lines of one folder."""
    words = [len(item["input"].split()) for item in items]
    said = [f"{name}: {len(items)} items, graded by {about['grade']['kind']}{_clusters(items, about)}"]
    said.append(f"  words: {min(words)} to {max(words)}, median {statistics.median(words):g}")
    free = []
    for column in [name for name in items[0] if name not in APART]:
        counts = Counter(value for item in items for value in _values(item.get(column)))
        if len(counts) <= MOST_VALUES and all(len(value) <= LONGEST for value in counts):
            said.append(f"  {column}: " + ", ".join(f"{value} {n}" for value, n in counts.most_common()))
        else:
            free.append(f"{column} ({len(counts)})")
    said.append("  of free values (how many differ): " + ", ".join(free))
    deciles = statistics.quantiles([item["difficulty"] for item in items], n=10)
    said.append("  difficulty, deciles: " + " ".join(f"{value:.1f}" for value in deciles))
    return said


def _values(value: Any) -> list[str]:
    """What is counted: each of a list of short words, otherwise the value itself."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]


def _clusters(items: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    column = about.get("cluster") or ("customer" if "customer" in items[0] else None)
    return f", {len({str(item[column]) for item in items})} of {column}" if column else ""


if __name__ == "__main__":
    sys.exit(main())
