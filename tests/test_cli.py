import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from llmkit.cli import main
from llmkit.lab import _arguments
from llmkit.simulator import Simulator

ROOT = Path(__file__).parent.parent


def test_compare_prints_plan_and_verdict_and_writes_the_answers(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    out = tmp_path / "answers.csv"
    assert (
        main(["compare", "support_triage", "--models", "sonnet", "opus", "--limit", "40", "--csv", str(out)])
        == 0
    )
    shown = capsys.readouterr().out
    assert "80 calls" in shown
    assert "SIMULATED, so nothing here is about real models" in shown
    assert len(pd.read_csv(out)) == 80


def test_plan_asks_nothing(capsys):
    assert main(["compare", "support_triage", "--plan"]) == 0
    assert "median s" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", "nothing_here"], "no task 'nothing_here'"),
        (["compare", "support_triage", "--models", "opsu"], "opus"),
        (["compare", "support_triage", "--stop", "worth"], "needs cost_of_error="),
        (["compare", "support_triage", "--budget", "none"], "no amount of USD"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(capsys, arguments, words):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_models_lists_lines_lifecycle_context_and_prices(capsys):
    assert main(["models", "opus"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["model", "line", "lifecycle"]
    assert lines[1].startswith("claude-opus-5-5")
    assert all("sonnet" not in line and "retired" not in line for line in lines[1:])
    assert main(["models", "--all"]) == 0
    assert "retired" in capsys.readouterr().out


@contextmanager
def simulating(*options):
    """`llmkit simulate` in a process of its own, and the three lines it prints."""
    command = [sys.executable, "-m", "llmkit.cli", "simulate", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process, [process.stdout.readline() for _ in range(3)]
    finally:
        process.kill()
        process.communicate(timeout=10)


def posted(url, body, headers):
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def test_simulate_serves_any_client_until_it_is_interrupted():
    with simulating() as (process, lines):
        url = re.search(r"http://127\.0\.0\.1:\d+", lines[0])[0]
        assert lines[0].startswith("SIMULATED")
        assert lines[1] == f'  anthropic.Anthropic(base_url="{url}", api_key="any")\n'
        assert lines[2] == f'  openai.OpenAI(base_url="{url}/v1", api_key="any")\n'
        headers = {"x-api-key": "any", "anthropic-version": "2026-10-21"}
        turns = [{"role": "user", "content": "Hello?"}]
        body = {"model": "claude-sonnet-5-5", "max_tokens": 500, "messages": turns}
        assert posted(f"{url}/v1/messages", body, headers)["content"]
        process.send_signal(signal.SIGINT)
        shown, error = process.communicate(timeout=10)
    assert (process.returncode, error) == (0, "")
    assert "1 requests answered" in shown


def test_simulate_lenient_takes_whatever_is_asked():
    with simulating("--lenient") as (_, lines):
        url = re.search(r"http://[\d.:]+", lines[0])[0]
        assert posted(f"{url}/v1/messages", {"model": "mine"}, {})["model"] == "mine"


def test_simulate_plays_faults():
    with simulating("--fault", "529", "--fault", "429:2@2") as (_, lines):
        url = re.search(r"http://[\d.:]+", lines[0])[0]
        statuses = []
        for _ in range(3):
            try:
                posted(f"{url}/v1/chat/completions", {}, {})
            except urllib.error.HTTPError as error:
                with error:
                    statuses.append((error.code, error.headers["retry-after"]))
    assert statuses == [(529, None), (429, "2"), (401, None)]


def test_a_fault_that_is_none_is_one_line_and_status_2(capsys):
    assert main(["simulate", "--port", "0", "--fault", "nonsense"]) == 2
    error = capsys.readouterr().err
    assert "--fault" in error and "'nonsense'" in error and error.count("\n") == 1


def test_a_port_that_is_taken_is_one_line_and_status_2(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["simulate", "--port", port]) == 2
    assert f"port {port} cannot be had" in capsys.readouterr().err


@pytest.mark.parametrize("pace", ["-1", "nan", "inf", "slow"])
def test_a_pace_that_is_none_is_refused(capsys, pace):
    with pytest.raises(SystemExit):
        main(["simulate", "--pace", pace])
    assert "--pace" in capsys.readouterr().err


def test_a_reader_that_stops_early_is_no_error():
    command = f"{sys.executable} -m llmkit.cli models --all | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith("model")
    assert done.stderr == ""


def test_doctor_never_shows_a_key(capsys, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "ANTHROPIC_API_KEY set" in shown
    assert "secret" not in shown


def test_lab_stays_on_this_machine_and_opens_the_first_notebook():
    arguments = _arguments(browser=False, port=8123)
    assert "--ServerApp.ip=127.0.0.1" in arguments
    assert any(argument.endswith("/lab/tree/notebooks/00_start_here.ipynb") for argument in arguments)
    assert {"--no-browser", "--ServerApp.port=8123"} <= set(arguments)


def test_models_live_shows_what_an_endpoint_serves_and_where_the_catalog_differs(monkeypatch, capsys):
    with Simulator() as simulator:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.url)
        monkeypatch.delenv("LLMKIT_MODE", raising=False)
        monkeypatch.setenv("LLMKIT_STORE", ":memory:")
        assert main(["models", "--live"]) == 0
    shown = capsys.readouterr().out
    assert "claude-opus-5-5" in shown
    assert "drift" in shown
