import ast
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llmkit import sandbox, sandbox_monty, sandbox_walls
from llmkit.errors import SandboxUnavailable, UsageError
from llmkit.sandbox_jobs import ForkServer, Job, server
from llmkit.sandbox_values import Foreign
from tests import sandbox_attacks

LACK = sandbox_walls.missing()
ADD = "def add(a, b):\n    return a + b\n"
NOBODY = 65534


def passed(code, calls, expected, function="f"):
    return sandbox.run(code, calls, function=function, expected=expected)


def test_a_right_answer_passes_and_says_what_held_it():
    outcome = sandbox.run(ADD, [(1, 2), ("a", "b")], function="add", expected=[3, "ab"])
    assert outcome.passed is True and outcome.failure == ""
    assert outcome.isolation.endswith("landlock+seccomp+rlimits") and outcome.compared == "host"
    assert [result.value for result in outcome.results] == [3, "ab"] and outcome.kilobytes > 1000


def test_the_first_failing_case_is_the_explanation():
    outcome = sandbox.run(
        "def add(a, b):\n    return a - b", [(1, 0), (1, 2)], function="add", expected=[1, 3]
    )
    assert outcome.passed is False
    assert outcome.failure == "add(1, 2) gave -1; expected 3"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def f(x): return", "SyntaxError"),
        ("def f(x):\n    y = 1 / x", "raised ZeroDivisionError: division by zero (line 2: y = 1 / x)"),
        ("def g(x): return 1", "KeyError: 'f'"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("def f(x): return f(x)", "RecursionError"),
        ("def f(x): return [0] * 10**10", "MemoryError"),
    ],
)
def test_what_goes_wrong_in_the_code_is_wrong_and_told(code, says):
    code = code if code != "def f(x): return" else "def f(x: return"
    outcome = passed(code, [(0,)], [7])
    assert outcome.passed is False and says in outcome.failure


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1", 1.0),
        ("True", 1),
        ("(1, 2)", [1, 2]),
        ("[1, (2,)]", [1, [2]]),
        ("{1: 1.0}", {1: 1}),
        ("{1.0: 1}", {1: 1}),
        ("{True}", {1}),
        ("type('Int', (int,), {'__eq__': lambda a, b: True})(1)", 2),
    ],
)
def test_exactly_the_type_and_the_value_count(source, expected):
    assert passed(f"def f(): return {source}", [()], [expected]).passed is False


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(10**5000),
        1.5,
        float("inf"),
        float("nan"),
        "�é\x00",
        b"\xff",
        (1, [2, {3}]),
        2j,
        frozenset({1}),
        {"a": {(1, 2): [None]}},
        [],
        (),
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_values_go_in_and_come_out_unchanged(value):
    assert passed("def f(x): return x", [(value,)], [value]).passed is True


def test_an_object_of_its_own_class_arrives_by_name_only():
    outcome = sandbox.run("class A: pass\ndef f(): return A()", [()], function="f")
    assert outcome.results[0].value == Foreign("answer.A") and outcome.passed is None


def test_a_run_out_of_time_names_the_case_that_did_not_answer():
    code = "def f(x):\n    while x: pass\n    return x"
    outcome = sandbox.run(code, [(0,), (1,)], function="f", expected=[0, 1], seconds=0.5)
    assert outcome.failure == "f(1) did not answer: it ran out of time; expected 1"
    assert outcome.seconds < 1.5


def test_what_is_printed_is_kept_apart_from_the_results():
    outcome = passed("print('hello', end='')\ndef f():\n    print('x')\n    return 1", [()], [1])
    assert outcome.passed is True and outcome.printed == "hello\nx\n"


@pytest.mark.parametrize(
    "call",
    [
        lambda: sandbox.run(ADD, [(object(),)], function="add"),
        lambda: sandbox.run(ADD, [(1, 2)], function="add", expected=[]),
        lambda: sandbox.run(ADD, [], function="add", isolation="docker"),
        lambda: sandbox.run(ADD, [], function="add", seconds=0),
        lambda: sandbox.check(ADD, "x = 1"),
        lambda: sandbox.check(ADD, "assert add(1, 2) == 3", function="sub"),
    ],
)
def test_input_that_cannot_work_is_refused(call):
    with pytest.raises(UsageError):
        call()


CHEATS = {
    "_exit": "import os\nos._exit(0)",
    "exit": "import sys\nsys.exit(0)",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b): return None",
    "equal to all": "class A:\n    def __eq__(self, other): return True\ndef add(a, b): return A()",
    "an int equal to all": "class A(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\n"
    "def add(a, b): return A(0)",
    "the server's frames": """
import gc, re, sys
def add(a, b):
    frame, seen = sys._getframe(), []
    while frame: seen.append(dict(frame.f_locals)); frame = frame.f_back
    held = str(seen) + str([o for o in gc.get_objects() if isinstance(o, (dict, list, tuple))])
    return next(map(int, re.findall(r"\\b[0-9]{10}\\b", held)), None)
""",
    "many guesses": """
import os, sys
def add(a, b):
    frame = sys._getframe()
    while "asked" not in frame.f_locals: frame = frame.f_back
    for guess in range(EXPECTED - 3, EXPECTED + 3):
        os.write(1, ('\\n["%s", {"value": %s}]\\n' % (frame.f_locals["asked"][0], guess)).encode())
    os._exit(0)
""",
    "builtins": "import builtins, json\nbuiltins.type = lambda x: int\njson.dumps = lambda x: '{}'\n"
    "builtins.AssertionError = None\ndef add(a, b): return ''",
}
EXPECTED = 1_234_554_321


@pytest.mark.parametrize("cheat", CHEATS)
def test_no_cheat_passes_where_the_host_compares(cheat):
    code = CHEATS[cheat].replace("EXPECTED", str(EXPECTED))
    assert sandbox.run(code, [(1, 2)], function="add", expected=[EXPECTED], seconds=2).passed is False
    assert sandbox.check(code, f"assert add(1, 2) == {EXPECTED}", seconds=2).passed is False


@pytest.mark.parametrize("cheat", CHEATS)
def test_no_cheat_passes_tests_that_run_in_a_process_of_their_own(cheat):
    tests = f"def check(candidate):\n    for x in [{EXPECTED}]:\n        assert candidate(1, 2) == x\n"
    code = CHEATS[cheat].replace("EXPECTED", str(EXPECTED))
    outcome = sandbox.check(code, tests, function="add", seconds=1)
    assert (outcome.passed, outcome.compared) == (False, "apart")
    assert sandbox.check(f"def add(a, b): return {EXPECTED}", tests, function="add").passed is True


@pytest.mark.parametrize(
    ("tests", "compared"),
    [
        (
            "def check(candidate):\n    assert candidate(1, 2) == 3, 'text'\n    assert not candidate(0, 0)",
            "host",
        ),
        ("def check(c):\n    assert abs(c(.1, .2) - .3) < 1e-9 and c([1], [2]) == [1] + [2]", "host"),
        (["assert set(add([1], [1])) == set([1])", "assert add((1,), ()) == (1,)"], "host"),
        ("import random\ndef check(c):\n    x = random.random()\n    assert c(x, x) == 2 * x", "apart"),
        ("for x in range(3):\n    assert add(x, 1) == x + 1", "apart"),
        ("assert add(1, 2) == sys.getsizeof(()) * 0 + 3", "apart"),
    ],
)
def test_a_benchmarks_tests_are_split_or_run_apart(tests, compared):
    right = sandbox.check(ADD, tests, function="add")
    assert (right.passed, right.compared, right.failure) == (True, compared, "")
    wrong = sandbox.check("def add(a, b):\n    return [a, b, 9]", tests, function="add")
    assert wrong.passed is False and "assert" in wrong.failure


def test_setup_may_use_the_answers_own_classes():
    code = "class Node:\n    def __init__(self, x): self.x = x\ndef value(node): return node.x"
    assert sandbox.check(code, ["assert value(root) == 1"], setup="root = Node(1)").passed is True


def test_tests_that_fail_by_themselves_leave_no_verdict():
    tests = "def check(c):\n    while True: pass"
    outcome = sandbox.check(ADD, tests, function="add", seconds=0.5)
    assert outcome.passed is None and "did not come to an end" in outcome.failure


@pytest.mark.parametrize("name", sandbox_attacks.ATTACKS)
def test_every_attack_is_stopped(name):
    with sandbox_attacks.Aim() as aim:
        assert sandbox_attacks.attack(name, aim) == []


def test_calls_that_change_what_is_ones_own_are_denied_too():
    assert sandbox_attacks.denied_calls_that_got_through() == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; the tests above are that")
def test_root_is_not_needed_for_any_of_it():
    python = next(path for path in (sys.executable, "/usr/bin/python3") if _runs_as_nobody(path))
    ran = _as_nobody(python, "-m", "tests.sandbox_attacks")
    told = json.loads(ran.stdout)
    assert told["uid"] == NOBODY and len(told["through"]) == len(sandbox_attacks.ATTACKS)
    assert [name for name, through in told["through"].items() if through] == [] and told["denied"] == {}


def _as_nobody(python, *arguments):
    paths = [str(Path(__file__).parent.parent), *(path for path in sys.path if "site-packages" in path)]
    return subprocess.run(
        [python, "-B", *arguments],
        env={"PYTHONPATH": os.pathsep.join(paths), "HOME": "/"},
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=90,
        cwd=paths[0],
    )


def _runs_as_nobody(python):
    try:
        return _as_nobody(python, "-c", "import llmkit.sandbox").returncode == 0
    except OSError:
        return False


@pytest.mark.parametrize(
    "name", ["read home", "kill another process", "connect to the network", "leave a daemon"]
)
def test_the_attacks_do_get_through_where_nothing_stops_them(name):
    with sandbox_attacks.Aim() as aim:
        assert sandbox_attacks.attack(name, aim, isolation="none") != []


def test_running_without_walls_says_once_what_the_code_can_do(capfd):
    server(os.getpid(), enclosed=False).close()
    for _ in range(2):
        assert sandbox.run(ADD, [(1, 2)], function="add", expected=[3], isolation="none").isolation == "none"
    assert capfd.readouterr().err.count("can read and write your files") == 1


def test_code_that_holds_the_tests_up_is_wrong_and_not_ungraded():
    tests = "import time\ndef check(candidate):\n    assert candidate(1) == 1\n    time.sleep(0.3)\n    assert False"
    code = "import time\ndef f(x):\n    time.sleep(0.4)\n    return x"
    outcome = sandbox.check(code, tests, function="f", seconds=0.6)
    assert (outcome.passed, outcome.compared) == (False, "apart")


def test_a_killed_server_takes_its_children_along_and_the_next_run_starts_another():
    forks = ForkServer()
    before = sandbox_attacks.descendants()
    try:
        with Job(forks, "while True: pass", deadline=time.monotonic() + 5) as job:
            while not job.up:
                list(job._parsed(job._next_bytes()))
            served = sandbox_attacks.descendants() - before
            assert len(served) == 2
            os.kill(min(served), 9)
            assert list(job.replies()) == [] and job.ended == "it ended early"
        assert job.status is None
        with Job(forks, "", deadline=time.monotonic() + 5) as again:
            again.asked_all()
            assert list(again.replies()) == []
    finally:
        forks.close()
    assert sandbox_attacks.descendants() <= before


def test_many_threads_share_one_server_and_get_their_own_results():
    results = {}

    def work(n):
        results[n] = sandbox.run(ADD, [(n, n)], function="add").results[0].value

    threads = [threading.Thread(target=work, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: 2 * n for n in range(40)}


def test_a_warm_run_is_quick_and_leaves_nothing_open():
    sandbox.run(ADD, [(1, 2)], function="add")
    opened = len(list(Path("/proc/self/fd").iterdir()))
    times = sorted(sandbox.run(ADD, [(1, 2)], function="add").seconds for _ in range(100))
    assert len(list(Path("/proc/self/fd").iterdir())) == opened
    assert times[10] < 0.050, f"the quickest tenth of runs took {1000 * times[10]:.1f} ms or more"


def test_a_machine_without_walls_refuses_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(sandbox_walls, "missing", lambda: "this is no Linux")
    server.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match=r"no Linux.*pydantic-monty.*isolation=\"none\""):
            sandbox.run(ADD, [(1, 2)], function="add", isolation="walls")
    finally:
        server.cache_clear()


def test_monty_leaves_what_it_does_not_know_ungraded(monkeypatch):
    if not sandbox_monty.is_installed():
        with pytest.raises(SandboxUnavailable, match="pip install pydantic-monty"):
            sandbox.run(ADD, [(1, 2)], function="add", isolation="monty")
        return
    assert sandbox.run(ADD, [(1, 2)], function="add", expected=[3], isolation="monty").passed is True
    assert sandbox.run(ADD, [(1, 2)], function="add", expected=[4], isolation="monty").passed is False
    lazy = sandbox.run("def f():\n    yield 1", [()], function="f", expected=[1], isolation="monty")
    assert lazy.passed is None and "monty" in lazy.failure


def test_the_filter_is_a_program_whose_jumps_stay_inside():
    program = sandbox_walls.filter_program()
    lines = [program[n : n + 8] for n in range(0, len(program), 8)]
    for place, line in enumerate(lines):
        if int.from_bytes(line[:2], sys.byteorder) in (0x15, 0x35, 0x45):
            assert place + 1 + max(line[2], line[3]) < len(lines)
    assert len(lines) < 4096 and ast.literal_eval(repr(program)) == program
