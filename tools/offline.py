"""Shut the world out of a process: no keys, no mode but offline, no connection that leaves this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_MODULES: MutableMapping[str, object] = sys.modules  # type: ignore[assignment]
# A proxy would carry off even what is meant for the loopback.
_FOREIGN_PREFIXES = ("ANTHROPIC_", "OPENAI_", "OPENROUTER_", "LLMKIT_")
_FOREIGN_SUFFIXES = ("_API_KEY", "_AUTH_TOKEN", "_PROXY")
_STARTUP = """\
import sys
sys.path.append({root!r})
from tools.offline import refuse_strangers
refuse_strangers()
del sys, refuse_strangers
"""


class StrangerRefused(RuntimeError):
    """Something tried to leave this machine; no OSError, so that no retry can swallow it."""


def offline(environ: Mapping[str, str]) -> dict[str, str]:
    """A copy of ``environ`` without keys, other endpoints, proxies and settings of ours, in mode offline."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(_FOREIGN_PREFIXES) and not name.upper().endswith(_FOREIGN_SUFFIXES)
    }
    return {**kept, "LLMKIT_MODE": "offline"}


def go_offline(environ: MutableMapping[str, str] = os.environ) -> None:
    """Make ``environ`` itself what ``offline`` makes of it."""
    wanted = offline(environ)
    for name in environ.keys() - wanted.keys():
        del environ[name]
    environ.update(wanted)


def refuse_strangers() -> None:
    """Let no socket of this process reach, and no name be looked up, beyond the loopback; for good.

    Raises (later, in whoever tries): StrangerRefused.
    """
    sys.addaudithook(_refuse)


def skip_grammars() -> None:
    """Spare whoever imports jupyter_events or nbformat later the 35 grammars that nobody uses.

    jsonschema takes rfc3987_syntax, if there is one, for a format no schema here has; 1.3 s of every start.
    """
    _MODULES.setdefault("rfc3987_syntax", None)


def guarded_kernels(folder: Path) -> dict[str, str]:
    """Write an IPython folder whose kernels refuse strangers; return the variables that make them use it.

    The variables also let a kernel import this tree, whatever its working directory.
    """
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-offline.py").write_text(_STARTUP.format(root=str(ROOT)), "utf-8")
    return {"IPYTHONDIR": str(folder)}


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        asked, address = arguments[0], arguments[1]
        family = getattr(asked, "family", None)
        host = address[0] if isinstance(address, tuple) and address else None
        if family in (socket.AF_INET, socket.AF_INET6) and not _is_here(host):
            raise StrangerRefused(f"a connection to {address!r} was refused; only the loopback is open here")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not _is_here(arguments[0]):
        raise StrangerRefused(f"looking up {arguments[0]!r} was refused; only the loopback is open here")


def _is_here(host: object) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    # None and "" are the loopback or, to listen on, any address.
    if text in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(text).partition("%")[0]).is_loopback
    except ValueError:
        return False
