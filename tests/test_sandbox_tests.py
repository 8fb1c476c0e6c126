import ast

import pytest

from llmkit.sandbox_tests import NotSplit, called, mention, modules, split


@pytest.mark.parametrize(
    ("tests", "calls", "right", "wrong"),
    [
        ("assert f(1) == 2", ["f(1)"], [2], [3]),
        ("assert 2 == f(1), 'why'", ["f(1)"], [2], [None]),
        ("assert abs(f(1.5) - 0.25) < 1e-6", ["f(1.5)"], [0.25], [0.26]),
        ("assert math.isclose(f(), 10 ** -2, rel_tol=0.001)", ["f()"], [0.01], ["0.01"]),
        ("assert f(1) is True", ["f(1)"], [True], [1]),
        ("assert not f(1)", ["f(1)"], [False], [True]),
        ("assert sorted(f([2], x=1)) == [1, 2]", ["sorted(f([2], x=1))"], [[1, 2]], [[2, 1]]),
        ("assert f(f(1)) == f(2) + 1", ["f(f(1))", "f(2)"], [3, 2], [3, 3]),
        ("assert f(0) in (1, 2) or f(1) == 0", ["f(0)", "f(1)"], [9, 0], [9, 9]),
        ("assert f(Box(1)) == {'a': {1, 2}, 'b': -1}", ["f(Box(1))"], [{"a": {2, 1}, "b": -1}], [{}]),
        ("assert f(1)[0] == 'x'", ["f(1)"], ["xy"], [""]),
    ],
)
def test_an_assert_is_split_into_calls_and_a_condition(tests, calls, right, wrong):
    (condition,) = split(tests, "f")
    assert list(condition.calls) == calls
    assert condition.holds(right) and not condition.holds(wrong)


def test_a_check_function_names_its_candidate_and_may_say_nothing_else():
    source = (
        "METADATA = {}\n\ndef check(candidate):\n    'text'\n    assert candidate(2) == 4\n    assert True\n"
    )
    first, second = split(source, "square")
    assert first.calls == ("square(2)",) and first.text == "candidate(2) == 4"
    assert second.calls == () and second.holds([])


@pytest.mark.parametrize(
    "tests",
    [
        "def check(c):\n    for x in range(3):\n        assert c(x) == x",
        "def check(c):\n    x = 1\n    assert c(x) == 1",
        "def check(c):\n    assert c(y) == 1",
        "assert f(1) == g(1)",
        "assert f(1) == [x for x in range(3)]",
        "assert f(1) == os.getpid()",
        "assert f(1) == (lambda: 1)()",
        "assert f(1",
        "print(f(1))",
    ],
)
def test_what_is_more_than_asserts_about_calls_is_not_split(tests):
    with pytest.raises(NotSplit):
        split(tests, "f")


@pytest.mark.parametrize("result", [10**7, "x" * 10**6, None, [[]], float("nan")])
def test_no_result_makes_a_condition_raise_or_take_long(result):
    for source in (
        "f() ** 60 == 1",
        "f() * 10 ** 60 == 1",
        "f() - 1 < 0 - 10 ** 9",
        "f()[5] == 1",
        "len(f()) == -1",
    ):
        (condition,) = split(f"assert {source}", "f")
        assert condition.holds([result]) is False


def test_the_function_under_test_and_missing_modules_are_found():
    assert called(["assert set(common([1])) == {1}"]) == "common" and called("assert sum(1, 2) == 3") == "sum"
    assert called("assert x ==") is None and called("x = 1") is None
    assert mention("assert f(1)", "f") and not mention("assert ff(1)", "f")
    assert modules("assert f(1) == sys.getsizeof(x.y)") == ["sys"] and modules("sys = 1\nsys.x") == []


def test_threads_that_parse_at_once_leave_no_answer_ungraded(monkeypatch):
    # What CPython 3.11 does to a thread now and then is done here to every first try.
    whole, tries = ast.parse, []

    def parse(source):
        tries.append(source)
        if len(tries) % 2:
            raise SystemError("AST constructor recursion depth mismatch (before=45, after=40)")
        return whole(source)

    monkeypatch.setattr(ast, "parse", parse)
    assert called("assert f(1) == 2") == "f"
    [condition] = split("assert f(1) == 2", "f")
    assert condition.holds([2]) and len(tries) == 4
