"""Which process holds a reservation, and whether it still lives."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> str:
    """A name for this process that no other process, before or after a reboot, will have (Linux).

    Elsewhere the start time is unknown and the name is only as unique as the process id.
    """
    return f"{_boot()}:{os.getpid()}:{_started(os.getpid())}"


def alive(owner: str) -> bool:
    """False only if the process of that name certainly ended."""
    boot, pid, started = owner.split(":")
    if boot != _boot():
        return False
    if started:
        return _started(int(pid)) == started
    if sys.platform == "win32":
        return True  # no harmless question exists: os.kill would end it
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return "here"


def _started(pid: int) -> str:
    # Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and brackets, so count from its end.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
