from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neupims.reports.lanes import lanes, pack, short_name
from neupims.results.spans import OperatorSpan


def span(start: int, end: int, unit: str = "pim", name: str = "layer0.attention.logit") -> OperatorSpan:
    return OperatorSpan(name, unit, start, end, 0, 0, 0)


def test_lanes_come_in_the_order_of_the_units(handmade):
    operators = tuple(span(0, 1, unit) for unit in ("link", "pim", "scan", "vector", "array", "npu"))
    assert [lane.name for lane in lanes(handmade(operators=operators))] == ["NPU", "vector", "PIM", "link", "scan"]


def test_operators_one_after_the_other_share_a_row():
    assert pack([span(5, 9), span(0, 5)]) == ((span(0, 5), span(5, 9)),)


def test_operators_that_overlap_do_not():
    assert pack([span(0, 6), span(5, 9), span(6, 7)]) == ((span(0, 6), span(6, 7)), (span(5, 9),))


spans = st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda t: span(t[0], t[0] + t[1]))


@given(st.lists(spans, max_size=30))
def test_rows_hold_every_span_once_and_as_few_rows_as_overlaps_need(found):
    rows = pack(found)
    assert Counter(s for row in rows for s in row) == Counter(found)
    assert all(a.end_ps <= b.start_ps for row in rows for a, b in pairwise(row))
    long = [s for s in found if s.start_ps < s.end_ps]
    at_once = max((sum(s.start_ps <= t.start_ps < s.end_ps for s in long) for t in long), default=0)
    assert len(pack(long)) == at_once


def test_a_short_name_is_the_last_part():
    assert short_name(span(0, 1)) == "logit"
    assert short_name(span(0, 1, name="embedding")) == "embedding"
    assert short_name(span(0, 1, name="layer0.qkv@sb2")) == "qkv"
