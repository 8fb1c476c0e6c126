import subprocess
import sys

from llmkit import owners


def test_this_process_lives():
    assert owners.alive(owners.this_process())


def test_a_process_that_ended_is_dead():
    code = "from llmkit.owners import this_process; print(this_process())"
    name = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert not owners.alive(name)


def test_a_process_id_used_again_is_another_process():
    boot, pid, started = owners.this_process().split(":")
    assert not owners.alive(f"{boot}:{pid}:{int(started or 0) + 1}")


def test_nothing_survives_a_reboot():
    _, pid, started = owners.this_process().split(":")
    assert not owners.alive(f"another-boot:{pid}:{started}")
