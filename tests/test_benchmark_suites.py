import sys
from functools import partial
from math import isnan
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import comparisons, environments, questions, server
from benchmarks.blocks import Block
from benchmarks.calls import CALL
from benchmarks.environments import NotInstalled
from benchmarks.figures import Ratio, Scope, Series, Target, ratio
from benchmarks.peers import Peer
from benchmarks.processes import Failed, Server, Worker, told
from benchmarks.results import Run, judged, markdown, text
from benchmarks.team import Team
from benchmarks.ways import DISK, MEMORY, WAYS, Way, keyed

OURS = Series("call", "ours", "ms", (1.0, 4.0, 3.0), ("call", "theirs"))
THEIRS = Series("call", "theirs", "ms", (2.0, 4.0, 1.0), ("call", "theirs"))
ABSENT = Series("call", "absent", "ms", (), ("call", "theirs"), "could not be made")
AT_ONCE = Series("at once", "ours", "ms", (2.0, 2.0, 6.0))
FOUND = [OURS, THEIRS, ABSENT, AT_ONCE]
HERE = Path(sys.executable)


def run(*targets):
    return Run(FOUND, targets, 3, {"core": {"httpx": "0.28.1"}}, {"gone": "no wheel"}, {})


def test_a_ratio_is_of_the_rounds_and_not_of_the_medians():
    assert ratio(OURS, THEIRS) == Ratio(1.0, pytest.approx(0.6), pytest.approx(2.6))
    assert ratio(Series("s", "a", "", (3.0,)), Series("s", "b", "", (2.0,))) == Ratio(1.5, 1.5, 1.5)
    with pytest.raises(ValueError, match="shorter"):
        ratio(OURS, Series("call", "theirs", "ms", (1.0,)))


def test_a_target_is_for_a_figure_a_ratio_or_a_difference():
    assert Target("call", "ours", 3).value(FOUND) == 3.0
    assert Target("call", "ours", 1, "theirs").value(FOUND) == 1.0
    assert Target("call", "ours", 1, "theirs", difference=True).value(FOUND) == 0.0
    assert Target("at once", "ours", 1.3, "ours", against_suite="call").value(FOUND) == 2.0


def test_a_target_is_held_up_to_its_bound():
    assert Target("call", "ours", 3).holds(3.0)
    assert not Target("call", "ours", 3).holds(3.01)
    assert Target("call", "ours", 3, at_least=True).holds(3.0)
    assert not Target("call", "ours", 3, at_least=True).holds(2.99)


def test_what_was_not_measured_is_neither_held_nor_missed():
    for target in (
        Target("call", "absent", 1),
        Target("call", "ours", 1, "absent"),
        Target("nothing", "ours", 1),
    ):
        assert target.value(FOUND) is None
        assert judged(target, FOUND)[3] == "not measured"
    assert isnan(ABSENT.median)


def test_the_tables_say_median_ratio_spread_and_who_is_absent():
    page = markdown(run(Target("call", "ours", 0.5, "theirs"), Target("at once", "ours", 3)))
    assert "| ours | 3 ms | 1 (0.6 to 2.6) |" in page
    assert "| theirs | 2 ms | 1 |" in page
    assert "| absent | could not be made |  |" in page
    assert "| call: ours, beside theirs | at most 0.5 x | 1 x | not held |" in page
    assert "| at once: ours | at most 3 ms | 2 ms | held |" in page
    assert "Not installed, and so not measured: gone (no wheel)." in page
    assert "core: httpx 0.28.1" in page
    assert str(Path.home()) not in page
    shown = text(run(Target("call", "ours", 0.5, "theirs")))
    assert "call: ours, beside theirs  at most 0.5 x  1 x  not held" in shown
    assert "gone: no wheel" in shown


def test_an_environment_is_used_only_for_what_it_was_made_for(tmp_path):
    with pytest.raises(NotInstalled, match="run make bench"):
        environments.python("core", tmp_path)
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "stamp.json").write_text("{}")
    with pytest.raises(NotInstalled, match="run make bench"):
        environments.python("core", tmp_path)
    (tmp_path / "litellm").mkdir()
    (tmp_path / "litellm" / "why-not.txt").write_text("it could not be made: no wheel")
    assert environments.missing(tmp_path)["litellm"] == "it could not be made: no wheel"
    assert set(environments.missing(tmp_path)) == set(environments.names())


def test_every_way_has_an_environment_and_llmkit_needs_what_the_project_says():
    assert {way.environment for way in WAYS} <= set(environments.names())
    assert any(package.startswith("anthropic") for package in environments.packages("llmkit"))


def test_no_key_of_this_shell_reaches_a_worker_or_an_installer(monkeypatch, tmp_path):
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "precious")
    assert "precious" not in told(tmp_path).values()
    assert "precious" not in environments.told().values()
    assert told(tmp_path)["HOME"] == str(tmp_path)
    with Worker(HERE) as worker:
        assert "precious" not in worker.do("tests.test_benchmark_suites:surroundings").value.values()


def surroundings():
    import os

    return dict(os.environ)


def test_an_answer_is_labelled_right_in_some_85_of_100_and_streams_as_the_same_text():
    numbers = range(2_000)
    right = sum(questions.label(questions.MODEL, n) == questions.target(n) for n in numbers)
    assert 0.8 < right / len(numbers) < 0.9
    assert "".join(questions.pieces("m", 7)) == questions.answer("m", 7)
    assert len(server.chunks(1, "m", 7)) == questions.PIECES + 3
    with pytest.raises(ValueError, match="question 8 was answered"):
        questions.check(8, questions.answer(questions.MODEL, 7), questions.TOKENS)
    with pytest.raises(ValueError, match="1 tokens"):
        questions.check(7, questions.answer(questions.MODEL, 7), 1)


class Skipping(Peer):
    def __init__(self, *, url):
        self.url = url

    def call(self, prompt):
        return "nothing", questions.TOKENS

    def stream(self, prompt):
        yield "nothing"

    def many(self, prompts, at_once):
        return [self.call(prompt) for prompt in prompts]


def test_a_peer_that_skips_the_work_is_not_measured():
    block = Block(peer="tests.test_benchmark_suites:Skipping", url="")
    for work in (block.call, block.stream, block.first_piece):
        with pytest.raises(ValueError, match="was answered with 7 characters"):
            work(first=1, questions=2)
    with pytest.raises(ValueError, match="was answered with 7 characters"):
        block.many(first=1, questions=2, at_once=2)


@pytest.mark.parametrize("way", ["httpx", "anthropic SDK", MEMORY, DISK])
def test_a_worker_asks_the_server_and_every_answer_is_whole(way, tmp_path):
    [chosen] = [one for one in WAYS if one.name == way]
    given = dict(chosen.given, store=str(tmp_path / "store.sqlite")) if chosen.on_disk else chosen.given
    with Server() as local, Worker(HERE, more=keyed(local.address)) as worker:
        worker.make(chosen.makes, url=local.address, **given)
        call = worker.do("call", first=1, questions=2)
        stream = worker.do("stream", first=11, questions=2)
        local.answer(pause=0.005)
        begun = worker.do("first_piece", first=21, questions=2)
        local.answer(delay=0.005)
        many = worker.do("many", first=31, questions=8, at_once=4)
        counts = local.counts()
    assert counts["requests"] == 3 + 3 + 3 + 9
    assert many.value["cpu"] > 0
    assert 0 < call.value["cpu"] < call.cpu
    assert 0 < stream.value["cpu"] < stream.cpu
    assert 0 < begun.value["wall"] < 0.005 * 100
    assert call.peak >= call.held > 0 or isnan(call.peak)


def test_the_first_piece_comes_before_the_pause():
    with Server() as local, Worker(HERE) as worker:
        worker.make(
            "benchmarks.blocks:Block", peer="benchmarks.peers:Http", module="httpx", url=local.address
        )
        local.answer(pause=0.3)
        begun = worker.do("first_piece", first=1, questions=1)
    assert begun.value["wall"] < 0.3
    assert begun.wall > 0.6


def test_a_comparison_is_measured_only_where_it_finds_what_is_true():
    with Server() as local, Worker(HERE, more=keyed(local.address)) as worker:
        worker.make("benchmarks.comparisons:Llmkit", url=local.address, store=":memory:")
        done = worker.do("compare", first=1, items=16)
        assert done.cpu > 0
        assert local.counts()["requests"] == 32
        worker.make("tests.test_benchmark_suites:Wrong", url=local.address)
        with pytest.raises(Failed, match="it found"):
            worker.do("compare", first=1, items=4)


class Wrong(comparisons.Way):
    def __init__(self, *, url):
        self.url = url

    def right(self, numbers):
        return dict.fromkeys(questions.MODELS, 0)


def test_a_failing_worker_says_why_and_goes_on():
    with Worker(HERE) as worker:
        with pytest.raises(Failed, match="ZeroDivisionError"):
            worker.do("tests.test_benchmark_suites:fails")
        assert worker.do("tests.test_benchmark_suites:prints").value == [1, 2]
        with pytest.raises(Failed, match="it ended with 3"):
            worker.do("tests.test_benchmark_suites:ends")


def fails():
    return 1 // 0


def prints():
    print('{"value": "not an answer"}')
    return [1, 2]


def ends():
    import os

    os._exit(3)


def test_a_way_without_its_environment_is_lost_and_named(tmp_path):
    scope = Scope(2, tmp_path, tmp_path)
    with Server() as local, Team(scope, [Way("gone", "core", "benchmarks.blocks:Block")], local) as team:
        assert "run make bench" in team.lost["gone"]
        assert list(team.each(lambda worker: worker.do("call"), requests=1)) == []
        first, second = team.questions(20), team.questions(5)
    assert second - first == 21


def test_a_way_that_answers_without_asking_is_lost(monkeypatch, tmp_path):
    monkeypatch.setattr(environments, "python", lambda name, folder: HERE)
    [memory] = [way for way in WAYS if way.name == MEMORY]
    with Server() as local, Team(Scope(2, tmp_path, tmp_path), [memory], local) as team:
        ask = partial(Worker.do, work="call", first=team.questions(2), questions=2)
        assert [name for name, _ in team.each(ask, requests=3)] == [MEMORY]
        assert list(team.each(ask, requests=3)) == []
    assert team.lost[MEMORY] == "it sent 0 requests where it should send 3"


def test_an_unknown_suite_is_refused_and_a_part_of_a_run_writes_no_results(monkeypatch, tmp_path, capsys):
    assert command.main(["--only", "weather"]) == 2
    assert "no suite ['weather']" in capsys.readouterr().err
    monkeypatch.setattr(command, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    assert command.main(["--only", "calls", "--quick"]) == 0
    shown = capsys.readouterr().out
    assert CALL in shown
    assert "run make bench" in shown
    assert not (tmp_path / "RESULTS.md").exists()
