"""The floors: imports only go down, pure rooms touch nothing, no room outgrows its purpose."""

import ast
import re
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent / "llmkit"

FLOORS = {
    1: {"errors", "render", "records", "cost"},
    2: {"models", "pricing", "distributions", "stats", "worth", "rehearsal", "estimates", "rules"}
    | {"pace", "repeats", "power", "multiplicity", "sequential", "intervals", "breakeven", "belief", "buying"}
    | {"strengths", "calibration", "amounts", "shares"}
    | {"sandbox_values", "sandbox_tests", "grades", "graders_text", "graders_overlap", "rouge"}
    | {"graders_facts"}
    | {"curves", "payoff", "curve_tests", "headroom", "learned"}
    | {"totals", "accept", "charges"},
    3: {"workers", "model", "store", "owners", "settings", "schemas", "tools", "endpoints", "hops", "parts"}
    | {"guard", "sockets", "network", "bounds", "prices", "bills", "scope", "tables", "ceilings", "spending"}
    | {"exports", "columns", "attempts", "store_errors"}
    | {"batch_file", "bookings", "graded", "grading", "texts", "pictures", "human"}
    | {"sandbox", "sandbox_jobs", "sandbox_server", "sandbox_walls", "sandbox_monty"}
    | {"graders_code", "graders_json", "graders_math", "graders_math_child", "policy"},
    4: {"providers", "providers.usage", "providers.sse", "providers.errors", "providers.messages"}
    | {"providers.messages_encode", "providers.messages_decode", "providers.chat", "providers.chat_encode"}
    | {"providers.chat_decode", "providers.messages_batch", "retry", "limits", "ledger", "meter"}
    | {"recordings", "routing", "cascade", "policies", "checks"},
    5: {
        "dialogue",
        "listing",
        "session",
        "clients",
        "catalog",
        "task",
        "verdict",
        "progress",
        "budgets",
        "places",
    }
    | {"batch", "batch_jobs", "batch_results", "batch_dispatch", "scores", "pairs", "decision"}
    | {"graders", "graders_judge", "votes", "canvas", "compared"}
    | {
        "reports",
        "booked",
        "reconciliation",
        "differences",
        "reconcile",
        "answers",
        "rerun",
        "outcomes",
        "coin",
        "tradeoff",
        "ballots",
    },
    6: {"costs", "compare", "comparison", "plan", "caching", "stopping", "rows", "resume", "downloads"}
    | {"benchmark_files", "benchmark_formats", "benchmarks", "elsewhere", "logs"}
    | {"plots_money", "plots_quality", "plots_time", "report", "replay", "trades", "scored"},
    7: {"plots", "plots_switching", "plots_escalated", "cli", "lab", "forecast"}
    | {"widgets", "widgets.panel", "widgets.shown", "widgets.fields"}
    | {"widgets.playground", "widgets.asking", "widgets.picker", "widgets.column", "widgets.cells"}
    | {"widgets.pictures", "widgets.tasking", "widgets.money", "widgets.progress"}
    | {"widgets.arena", "widgets.answering", "widgets.explorer", "widgets.findings", "widgets.opened"}
    | {
        "widgets.tallied",
        "widgets.knobs",
        "widgets.costs",
        "widgets.decide",
        "widgets.switchboard",
        "widgets.routes",
    },
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
PACKAGES = {"providers", "widgets"}
SIDE_BY_SIDE = {("meter", "ledger"), ("limits", "providers.errors")}
WIRE_PIECES = {"providers.sse", "providers.errors", "providers.usage"}
WORLD = {
    "socket",
    "threading",
    "time",
    "random",
    "os",
    "subprocess",
    "sqlite3",
    "pandas",
    "httpx",
    "anthropic",
}
LONGEST_ROOM, LONGEST_FUNCTION = 400, 60
MAY_SHOW_HTML = ("render", "widgets.shown")
SHOWS_HTML = ("widgets.HTML", "ipywidgets import", "display(HTML", "Markdown(", "_repr_markdown_", "Styler")


def rooms():
    found = {}
    for path in sorted(HOME.rglob("*.py")):
        name = ".".join(path.relative_to(HOME).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path.read_text("utf-8")
    return found


def imports(source, room):
    """The rooms of ours, and the first names of foreign packages, that a source imports anywhere."""
    ours, foreign = set(), set()
    package = room.split(".")[:-1] if room not in PACKAGES else [room]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            foreign |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
            base = [part for part in base if part]
            for alias in node.names:
                deeper = ".".join([*base, alias.name])
                ours.add(deeper if deeper in FLOOR or not base else ".".join(base))
        elif isinstance(node, ast.ImportFrom):
            foreign.add((node.module or "").split(".")[0])
    return ours, foreign


def upward(room, source):
    """Imports of ``source`` that do not go down; on floor 4 rooms do not know each other."""
    ours, _ = imports(source, room)
    faults = []
    for other in sorted(ours - {"simulator"}):
        same = FLOOR[other] == FLOOR[room]
        if FLOOR[other] > FLOOR[room] or (same and FLOOR[room] == 4 and not beside(room, other)):
            faults.append(other)
    return faults


def beside(room, other):
    """Whether two rooms of floor 4 may know each other: one provider's own, and what the wires share."""
    if (room, other) in SIDE_BY_SIDE:
        return True
    both = room.startswith("providers.") and other.startswith("providers.")
    return both and (other in WIRE_PIECES or room.split("_")[0] == other.split("_")[0])


def long_functions(source):
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= LONGEST_FUNCTION]


HOUSE = rooms()
INSIDE = [room for room in HOUSE if not room.startswith("simulator") and room not in ("", "__init__")]


@pytest.mark.parametrize("room", INSIDE)
def test_every_room_has_its_floor_and_imports_only_down(room):
    assert room in FLOOR, f"{room} has no floor; add it to FLOORS in this file"
    assert upward(room, HOUSE[room]) == []


def test_no_floor_names_a_room_that_is_gone():
    assert set(FLOOR) == set(INSIDE)


@pytest.mark.parametrize("room", sorted(FLOORS[1] | FLOORS[2]))
def test_pure_rooms_touch_nothing_of_the_world(room):
    assert imports(HOUSE[room], room)[1] & WORLD == set()
    assert ".now(" not in HOUSE[room]


@pytest.mark.parametrize("room", [room for room in HOUSE if room.startswith("simulator")])
def test_the_simulator_imports_nothing_of_ours(room):
    ours, foreign = imports(HOUSE[room], room + (".x" if room == "simulator" else ""))
    assert all(name.startswith("simulator") for name in ours)
    assert "llmkit" not in foreign


@pytest.mark.parametrize("room", HOUSE)
def test_rooms_and_functions_stay_small_and_synchronous(room):
    source = HOUSE[room]
    assert source.count("\n") <= LONGEST_ROOM
    assert long_functions(source) == []
    assert not any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(ast.parse(source)))
    if room not in MAY_SHOW_HTML:
        assert not [shown for shown in SHOWS_HTML if shown in source]
    if room not in ("cli", "session"):
        assert not re.search(r"(?<![\w.])print\(", source)


def test_imports_within_a_floor_make_no_circle():
    graph = {room: {o for o in imports(HOUSE[room], room)[0] if o in FLOOR} for room in INSIDE}
    left = dict(graph)
    while left:
        free = [room for room, needs in left.items() if not (needs - {room}) & left.keys()]
        assert free, f"a circle among {sorted(left)}"
        for room in free:
            del left[room]


@pytest.mark.parametrize(
    ("room", "source", "faults"),
    [
        ("stats", "from .compare import x", ["compare"]),
        ("stats", "def f():\n    from . import session", ["session"]),
        ("retry", "from .ledger import Ledger", ["ledger"]),
        ("providers.messages", "from ..catalog import x", ["catalog"]),
        ("providers.messages", "from .usage import x\nfrom ..model import y", []),
        ("compare", "from .plan import x\nfrom . import stats", []),
    ],
)
def test_the_guard_sees_what_it_should(room, source, faults):
    assert upward(room, source) == faults
    assert long_functions("def f():\n" + "    x = 1\n" * 70) == ["f"]
