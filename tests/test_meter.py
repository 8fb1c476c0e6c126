import sqlite3
from decimal import Decimal

import pytest

from llmkit.errors import BudgetExceeded, Busy, CallError, Rejected, Stopped, StoreError
from llmkit.ledger import SCHEMA, Entry, Ledger
from llmkit.meter import Metered
from llmkit.records import Call, Cost
from llmkit.retry import Retry
from llmkit.store import Store
from tests.scripted import Scripted, answer, flat_price


@pytest.fixture
def ledger():
    store = Store(":memory:", schema=SCHEMA)
    yield Ledger(store)
    store.close()


def metered(ledger, *script, worst=Decimal("1"), budgets=(), shown=(), distrust=lambda: None):
    inner = Retry(Scripted(*script, shown=shown), sleep=lambda _: None)
    price = flat_price()
    return Metered(
        inner,
        ledger,
        endpoint="anthropic",
        price=lambda response: Cost(price(response)),
        worst=lambda request: worst,
        budgets=lambda: budgets,
        distrust=distrust,
    )


def states(ledger):
    return ledger.store.read("SELECT n, state FROM attempt ORDER BY id")


def test_an_answer_is_priced_and_booked(ledger):
    response = metered(ledger, "yes")("hi")
    assert response.cost.total == Decimal("0.15")
    assert ledger.spend().certain == Decimal("0.15")


def test_an_answer_that_belongs_to_another_question_ends_the_trust_in_connections(ledger):
    told = []
    model = metered(ledger, answer(response_id="msg_1"), distrust=lambda: told.append("dropped"))
    model("one")
    assert told == []
    with pytest.raises(CallError, match="already received for another question"):
        model("two")
    assert told == ["dropped"]
    assert states(ledger) == [(1, "settled"), (1, "unknown")]


def test_every_attempt_has_a_row_of_its_own(ledger):
    metered(ledger, Busy("529"), Busy("cut", maybe_paid=True), "yes")("hi")
    assert states(ledger) == [(1, "released"), (2, "unknown"), (3, "settled")]
    assert len({call for (call,) in ledger.store.read("SELECT call FROM attempt")}) == 1


def test_a_rejected_request_costs_nothing(ledger):
    with pytest.raises(Rejected):
        metered(ledger, Rejected("bad"))("hi")
    assert states(ledger) == [(1, "released")]


def test_a_call_that_a_left_run_never_sent_is_free(ledger):
    model = metered(ledger, "yes")
    with pytest.raises(Stopped):
        list(model.run(model.request("hi").with_call(Call(stopped=lambda seconds: True))))
    assert states(ledger) == [(1, "released")]


def test_a_stream_left_early_is_charged_at_its_worst(ledger):
    with metered(ledger, "one two three").stream("hi") as stream:
        next(stream)
    assert states(ledger) == [(1, "unknown")]
    assert ledger.spend().worst == Decimal(1)


def test_a_foreign_failure_is_charged_at_its_worst(ledger):
    with pytest.raises(ZeroDivisionError):
        metered(ledger, ZeroDivisionError())("hi")
    assert states(ledger) == [(1, "unknown")]


def test_ceilings_of_the_session_and_of_the_call_both_hold(ledger):
    ledger.set_ceiling("session", Decimal("5"))
    ledger.set_ceiling("run", Decimal("0.5"))
    model = metered(ledger, "yes", budgets=("session",))
    request = model.request("hi").with_call(Call(budgets=("run",)))
    with pytest.raises(BudgetExceeded):
        list(model.run(request))
    assert model("hi").text == "yes"
    assert ledger.left("session") == Decimal("4.85")


def test_a_retry_that_no_longer_fits_is_not_sent(ledger):
    ledger.set_ceiling("run", Decimal("1.5"))
    model = metered(ledger, Busy("cut", maybe_paid=True), "yes", budgets=("run",))
    with pytest.raises(BudgetExceeded):
        model("hi")
    assert states(ledger) == [(1, "unknown")]


def test_a_retry_of_a_free_failure_that_no_longer_fits_says_so(ledger):
    ledger.set_ceiling("run", Decimal("1"))
    model = metered(ledger, Busy("529"), "yes", worst=Decimal("0.5"), budgets=("run",))

    def freeze(seconds):
        row = ledger.reserve(Entry("c", "k", "e", "m", "", ("run",), 1))
        ledger.settle(row, answer(cost=Cost(Decimal(2))))

    model.model._sleep = freeze
    with pytest.raises(BudgetExceeded):
        model("hi")
    assert states(ledger) == [(1, "released"), (1, "over")]


def test_an_answer_that_cannot_be_written_down_is_handed_over_with_the_error(ledger):
    model = metered(ledger, answer("paid for"))

    def keep(connection, response):
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StoreError, match="disk is full") as caught:
        list(model.run(model.request("hi").with_call(Call(keep=keep))))
    assert caught.value.response.text == "paid for"
    assert states(ledger) == [(1, "unknown")]


def test_what_was_seen_of_a_broken_answer_is_the_estimate(ledger):
    model = metered(ledger, Busy("cut", maybe_paid=True), shown=["one ", "two"])
    model._seen = lambda request, text: Decimal(len(text)) / 100
    with pytest.raises(Busy):
        model("hi")
    assert (ledger.spend().estimate, ledger.spend().worst) == (Decimal("0.07"), 1)


def test_without_a_price_a_ceiling_refuses_before_sending(ledger):
    ledger.set_ceiling("run", Decimal("1"))
    model = metered(ledger, "yes", worst=None, budgets=("run",))
    with pytest.raises(BudgetExceeded, match="no price is known"):
        model("hi")
    assert states(ledger) == []


def test_the_recording_is_written_with_the_booking_or_not_at_all(ledger):
    kept = []
    call = Call(keep=lambda connection, response: kept.append((response.text, connection.in_transaction)))
    model = metered(ledger, answer("yes"))
    list(model.run(model.request("hi").with_call(call)))
    assert kept == [("yes", True)]
    assert call.kept


def test_labels_reach_the_ledger(ledger):
    model = metered(ledger, "yes")
    list(model.run(model.request("hi").with_call(Call(label="draft 2"))))
    assert ledger.frame()["label"].tolist() == ["draft 2"]


def test_pieces_pass_through(ledger):
    assert list(metered(ledger, "a b c").stream("hi")) == ["a", "b", "c"]
