"""What runs inside a peer's environment: python -m benchmarks.worker

Reads one command a line, {"do": "module:function", "given": {...}}, and answers with one line: what the
function gave back, the CPU and wall time it took, and the memory held. {"make": "module:Class", "given":
{...}} makes the object whose methods later commands name without a module.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer until standard input is closed; what a peer prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    made: object = None
    said: dict[str, Any]
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if "make" in command:
                made = named(command["make"])(**command["given"])
                said = {"made": command["make"]}
            else:
                work = command["do"]
                function = named(work) if ":" in work else getattr(made, work)
                said = measured(function, **command["given"])
        except Exception:  # noqa: BLE001 - whatever a peer raises is told to the one who asked
            said = {"error": traceback.format_exc()[-4_000:]}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


def named(place: str) -> Any:
    """The function or class of ``module:name``."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def measured(function: Any, **given: Any) -> dict[str, Any]:
    """Its value, CPU and wall seconds over all threads, and megabytes held then and at most."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function(**given)
    spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    return {"value": value, **spent, "held": memory("VmRSS"), "peak": memory("VmHWM")}


def memory(name: str) -> float:
    """Megabytes of this process: "VmRSS", held now, or "VmHWM", the most ever held; NaN where unknown."""
    # Not getrusage: its maximum is inherited from the process that started this one.
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    for line in status.read_text("utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    main()
