"""Price the usages of a JSONL file and hold them against costs worked out by hand.

python -m tools.check_usage_costs FILE [--on 2026-11-22]

Each line is {"model": ..., "usage": {...}, "hand_usd": "0.00081"}, or null where nobody did. A usage
has no day of its own; without --on it is priced on the catalog's day.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from llmkit.models import raw_facts
from llmkit.pricing import price
from llmkit.providers.usage import messages_usage


def main(arguments: list[str] | None = None) -> int:
    """Print every difference and a count; 1 if there was any."""
    parser = argparse.ArgumentParser(prog="tools.check_usage_costs")
    parser.add_argument("file", type=Path)
    parser.add_argument("--on", type=date.fromisoformat, help="the UTC day whose prices hold")
    options = parser.parse_args(arguments)
    on = options.on or date.fromisoformat(raw_facts()["as_of"])
    rows = [json.loads(line) for line in options.file.read_text("utf-8").splitlines() if line.strip()]
    differ = unknown = 0
    for number, row in enumerate(rows, start=1):
        ours = price(messages_usage(row["usage"]), row["model"], on).total
        if row["hand_usd"] is None:
            unknown += 1
        elif ours != Decimal(row["hand_usd"]):
            differ += 1
            print(f"line {number}: {row['model']}: ours {ours}, by hand {row['hand_usd']}: {row['usage']}")
    equal = len(rows) - differ - unknown
    print(f"{equal} equal to the last digit, {differ} differ, {unknown} not worked out by hand")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
