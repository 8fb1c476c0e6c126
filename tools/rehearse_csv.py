"""Rehearse a comparison of Sonnet and Opus on any CSV of texts and labels, and say what it took.

python -m tools.rehearse_csv FILE --text text --label category --store rehearsal.sqlite

Stop it, or kill it, and run it again: it goes on where it was, and no answer is asked for twice.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import pandas as pd

import llmkit as kit


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison offline; print rows, origins, seconds, CPU ms an answer, peak memory and verdict."""
    parser = argparse.ArgumentParser(prog="tools.rehearse_csv")
    parser.add_argument("file", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--store", type=Path, default=None)
    options = parser.parse_args(arguments)
    frame = pd.read_csv(options.file)
    labels = sorted(frame[options.label].unique())
    task = kit.Task(
        frame,
        prompt=f"Which label fits the text? Answer with the label only.\n\n{{{options.text}}}",
        target=options.label,
        grade=kit.graders.choice(labels),
        name=options.file.stem,
    )
    started = time.monotonic()
    kit.connect("offline", store=options.store)
    c = kit.compare(task, kit.models("sonnet", "opus"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = (used.ru_utime + used.ru_stime) / len(c) * 1000
    print(f"{len(c):,} answers: {c.frame['origin'].value_counts().to_dict()}")
    print(f"{time.monotonic() - started:.0f} s, {cpu:.2f} CPU ms an answer (simulator included), ", end="")
    print(f"{used.ru_maxrss / 1024:.0f} MB at most")
    print(c)
    return 0


if __name__ == "__main__":
    sys.exit(main())
