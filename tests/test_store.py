import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llmkit.errors import StoreError
from llmkit.store import Store

SCHEMA = "CREATE TABLE IF NOT EXISTS word(text TEXT PRIMARY KEY);"


def add(text):
    return lambda connection: connection.execute("INSERT INTO word VALUES(?)", (text,))


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    path = tmp_path / "s.sqlite" if request.param == "file" else ":memory:"
    opened = Store(path, schema=SCHEMA)
    yield opened
    opened.close()


def words(store):
    return sorted(text for (text,) in store.read("SELECT text FROM word"))


def test_what_was_written_can_be_read(store):
    store.write(add("moon"))
    assert words(store) == ["moon"]


def test_a_write_that_raises_changes_nothing_and_raises_for_its_caller_only(store):
    def half(connection):
        add("half")(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write(half)
    store.write(add("whole"))
    assert words(store) == ["whole"]


def test_writes_of_many_threads_all_arrive_and_a_clash_fails_alone(store):
    failures = []

    def work(number):
        try:
            store.write(add(f"w{number % 90}"))
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(words(store)) == 90
    assert len(failures) == 10


def test_a_file_is_for_its_owner_only_and_uses_a_write_ahead_log(tmp_path):
    store = Store(tmp_path / "deep" / "s.sqlite", schema=SCHEMA)
    assert (tmp_path / "deep" / "s.sqlite").stat().st_mode & 0o777 == 0o600
    assert store.durability == "WAL, synchronous=FULL"
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_two_stores_on_one_file_see_each_others_writes(tmp_path):
    one, two = (Store(tmp_path / "s.sqlite", schema=SCHEMA) for _ in range(2))
    one.write(add("one"))
    two.write(add("two"))
    assert words(one) == words(two) == ["one", "two"]
    one.close()
    two.close()


def test_a_held_file_is_waited_for_and_then_named(tmp_path):
    path = tmp_path / "s.sqlite"
    store = Store(path, schema=SCHEMA, patience=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"held by another process for 0\.05 s"):
        store.write(add("late"))
    other.execute("ROLLBACK")
    store.write(add("now"))
    assert words(store) == ["now"]
    other.close()
    store.close()


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_one_statement_gives_the_rows_id_or_none(tmp_path, place):
    store = Store(":memory:" if place == "memory" else tmp_path / "s.sqlite", schema=SCHEMA)
    sql = "INSERT INTO word SELECT ? WHERE NOT EXISTS (SELECT 1 FROM word WHERE text = ?)"
    assert store.write_one(sql, ("one", "one")) == 1
    assert store.write_one(sql, ("one", "one")) is None
    assert words(store) == ["one"]
    assert not store._writer.in_transaction
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.write_one(sql, ("two", "two"))


def test_one_statement_waits_for_another_process_too(tmp_path):
    path = tmp_path / "s.sqlite"
    store = Store(path, schema=SCHEMA, patience=5)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ends = threading.Timer(0.1, lambda: other.execute("ROLLBACK"))
    ends.start()
    assert store.write_one("INSERT INTO word VALUES(?)", ("late",)) == 1
    ends.join()
    other.close()
    assert words(store) == ["late"]
    store.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one" * 40, b"\0" * 4096])
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged.*Move the file away"):
        Store(path, schema=SCHEMA)
    assert path.read_bytes() == content


def test_a_file_damaged_in_the_middle_is_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    store = Store(path, schema=SCHEMA)
    for number in range(500):
        store.write(add(f"{number} " + "x" * 100))
    store.close()
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 3] = b"\xff" * 8192
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        Store(path, schema=SCHEMA)


def test_a_database_of_another_program_is_not_touched(tmp_path):
    path = tmp_path / "s.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs(x)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(path, schema=SCHEMA)
    assert path.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path, schema=SCHEMA)


def test_a_closed_store_says_so(tmp_path):
    store = Store(tmp_path / "s.sqlite", schema=SCHEMA)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.write(add("late"))


def test_a_forked_child_is_refused(tmp_path):
    code = (
        "import os, sys\n"
        "from llmkit.store import Store\n"
        "from llmkit.errors import StoreError\n"
        f"store = Store({str(tmp_path / 's.sqlite')!r}, schema={SCHEMA!r})\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    try:\n"
        "        store.read('SELECT 1')\n"
        "    except StoreError as error:\n"
        "        os._exit(7 if 'forked' in str(error) else 1)\n"
        "    os._exit(2)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7


WRITER = """
import sys
from llmkit.store import Store
store = Store(sys.argv[1], schema="CREATE TABLE IF NOT EXISTS word(text TEXT PRIMARY KEY);")
from concurrent.futures import ThreadPoolExecutor
def put(n):
    store.write(lambda c: c.execute("INSERT INTO word VALUES(?)", (f"{sys.argv[2]}-{n}",)))
    sys.stdout.write(f"{sys.argv[2]}-{n}\\n"); sys.stdout.flush()
with ThreadPoolExecutor(8) as pool:
    list(pool.map(put, range(100_000)))
"""


@pytest.mark.parametrize("trial", range(3))
def test_nothing_acknowledged_is_lost_when_writers_are_killed(tmp_path, trial):
    path = tmp_path / "s.sqlite"
    Store(path, schema=SCHEMA).close()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for name in ("a", "b")
    ]
    told: list[str] = []
    for child in children:
        assert child.stdout is not None
        told += [child.stdout.readline().strip() for _ in range(40 + 30 * trial)]
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
        told += [line.strip() for line in rest if line.endswith("\n")]
        child.wait()
        child.stdout.close()
    store = Store(path, schema=SCHEMA)
    assert set(told) <= set(words(store))
    assert store.read("PRAGMA integrity_check") == [("ok",)]
    store.close()


def test_a_full_disk_is_said_and_loses_nothing(tmp_path):
    store = Store(tmp_path / "s.sqlite", schema=SCHEMA)
    store.write(add("kept"))
    store._writer.execute("PRAGMA max_page_count = 3")
    with pytest.raises(StoreError, match="disk is full"):
        store.write(add("x" * 100_000))
    assert words(store) == ["kept"]
    store.close()
    assert Path(store.path).exists()


def test_a_damaged_file_and_its_log_stay_as_they_are_to_the_byte(tmp_path):
    store = Store(tmp_path / "s.sqlite", schema=SCHEMA)
    for number in range(300):
        store.write(add(f"{number} " + "x" * 100))
    files = [tmp_path / "damaged.sqlite", tmp_path / "damaged.sqlite-wal"]
    store._writer.execute("PRAGMA wal_checkpoint")
    store.write(add("only in the log"))
    data = bytearray((tmp_path / "s.sqlite").read_bytes())
    data[4096 * 2 : 4096 * 5] = b"\xff" * 4096 * 3
    files[0].write_bytes(data)
    files[1].write_bytes((tmp_path / "s.sqlite-wal").read_bytes())
    store.close()
    before = [file.read_bytes() for file in files]
    with pytest.raises(StoreError, match=r"damaged.*set_aside=True") as caught:
        Store(files[0], schema=SCHEMA)
    assert caught.value.damaged
    assert [file.read_bytes() for file in files] == before


def test_a_store_in_memory_may_be_closed_under_its_readers():
    """In a process of its own: a connection closed in use ends the whole process."""
    program = """
import threading
from llmkit.errors import StoreError
from llmkit.store import Store

def read(store):
    while True:
        try:
            store.read("SELECT sum(number * number) FROM numbers")
        except StoreError:
            return

for _ in range(40):
    store = Store(":memory:", schema="CREATE TABLE numbers (number)")
    store.write(lambda c: c.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(2000)]))
    readers = [threading.Thread(target=read, args=(store,)) for _ in range(4)]
    for reader in readers:
        reader.start()
    store.read("SELECT 1")
    store.close()
    for reader in readers:
        reader.join(timeout=5)
print("whole")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "whole"), done.stderr


@pytest.mark.parametrize("where", ["a file", "memory"])
def test_interrupt_in_the_middle_of_a_write_leaves_the_store_whole(where, tmp_path):
    path = ":memory:" if where == "memory" else tmp_path / "store.sqlite"
    store = Store(path, schema="CREATE TABLE IF NOT EXISTS t(n INTEGER);")

    def interrupted(connection):
        connection.execute("INSERT INTO t VALUES(1)")
        signal.raise_signal(signal.SIGINT)
        connection.execute("INSERT INTO t VALUES(2)")

    with pytest.raises(KeyboardInterrupt):
        store.write(interrupted)
    store.write(lambda connection: connection.execute("INSERT INTO t VALUES(3)"))
    kept = [n for (n,) in store.read("SELECT n FROM t ORDER BY n")]
    assert kept == ([3] if where == "memory" else [1, 2, 3])
    store.close()
