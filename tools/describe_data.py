"""Print the statistics of every curated task: python -m tools.describe_data"""

from __future__ import annotations

import json
import statistics
import sys
from collections import Counter
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
SKIPPED = {"id", "input", "reason", "customer", "difficulty", "traits"}


def main() -> int:
    """One block a folder: counts of every label, lengths in words, deciles of difficulty."""
    for folder in sorted(path.parent for path in DATA.glob("*/items.jsonl")):
        items = [json.loads(line) for line in (folder / "items.jsonl").read_text("utf-8").splitlines()]
        words = [len(item["input"].split()) for item in items]
        print(f"{folder.name}: {len(items)} items, {len({item.get('customer') for item in items})} customers")
        print(f"  words: {min(words)} to {max(words)}, median {statistics.median(words):g}")
        for column in [name for name in items[0] if name not in SKIPPED]:
            counts = Counter(item[column] for item in items).most_common()
            print(f"  {column}: " + ", ".join(f"{name} {count}" for name, count in counts))
        traits = Counter(trait for item in items for trait in item.get("traits", ())).most_common()
        print("  traits: " + ", ".join(f"{name} {count}" for name, count in traits))
        deciles = statistics.quantiles([item["difficulty"] for item in items], n=10)
        print("  difficulty, deciles: " + " ".join(f"{value:.1f}" for value in deciles))
    return 0


if __name__ == "__main__":
    sys.exit(main())
