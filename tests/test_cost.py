import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import date
from decimal import Decimal
from threading import Barrier, Thread

import pytest

from llmkit.cost import Cost
from llmkit.pricing import KINDS, price
from llmkit.records import Usage

NOW = date(2026, 11, 22)
OPUS = "claude-opus-5-5"


def test_lines_made_when_read_are_those_of_any_other_cost():
    usage = Usage(412, 3, 4, 2048, 500)
    lines = price(usage, OPUS, NOW).items
    whole = Cost(price(usage, OPUS, NOW).total, lines)
    assert [(line.kind, line.quantity) for line in lines] == [(kind, getattr(usage, kind)) for kind in KINDS]
    assert price(usage, OPUS, NOW) == whole and hash(price(usage, OPUS, NOW)) == hash(whole)
    assert repr(price(usage, OPUS, NOW)) == repr(whole)
    assert pickle.loads(pickle.dumps(price(usage, OPUS, NOW))) == whole
    assert copy.deepcopy(price(usage, OPUS, NOW)) == whole
    assert replace(price(usage, OPUS, NOW), note="again") == Cost(whole.total, lines, "again")


def test_a_cost_has_no_other_attribute():
    with pytest.raises(AttributeError, match="'Cost' object has no attribute 'dollars'"):
        _ = price(Usage(1), OPUS, NOW).dollars
    with pytest.raises(FrozenInstanceError):
        price(Usage(1), OPUS, NOW).total = Decimal(0)


def test_lines_read_by_several_threads_at_once_are_one_bill():
    for _ in range(50):
        cost, start, found = price(Usage(1, 2, 3, 4, 5), OPUS, NOW), Barrier(4), []

        def read(cost=cost, start=start, found=found):
            start.wait(1)
            found.append(cost.items)

        threads = [Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(1)
        assert [items == found[0] and len(items) == 5 for items in found] == [True] * 4
