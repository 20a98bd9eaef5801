"""Both recounts, one by meter points and one by relations, agree on histories that are dense in conflicts."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.builders import commissioned, hub_connected, installed
from tests.oracle import recount_sql
from tests.oracle.event import Event, sent
from tests.oracle.plain import count
from tests.oracle.validation import reason_codes, validated
from tests.strategies import Submission, histories, submissions

SLOW_STARTER = (HealthCheck.too_slow, HealthCheck.data_too_large)


def assert_agree(events: list[Event]) -> None:
    plain = count(events)
    sql = recount_sql.recount(validated(events)[0])
    assert sorted(sql.cells.items()) == sorted(plain.cells.items())
    by_status: Counter[tuple[str, str]] = Counter()
    for (source, _, status, _), records in sql.fates.items():
        by_status[source, status] += records
    refused = Counter(event.owner for event in events if reason_codes(event))
    for (owner, status), records in plain.intake.items():
        if status != "received":
            assert by_status[owner, status] + (refused[owner] if status == "rejected" else 0) == records


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW_STARTER)
@given(histories())
def test_both_recounts_agree_in_every_cell(events: list[dict[str, Any]]) -> None:
    assert_agree([sent(event) for event in events])


@settings(max_examples=10, deadline=None, suppress_health_check=SLOW_STARTER)
@given(submissions())
def test_both_recounts_agree_where_validation_rejects(found: list[Submission]) -> None:
    assert_agree([sent(one.event, one.owner) for one in found])


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW_STARTER)
@given(histories())
def test_the_drawn_histories_pass_validation(events: list[dict[str, Any]]) -> None:
    assert {reason_codes(sent(event)) for event in events} == {""}


def test_no_events_make_no_cells() -> None:
    assert recount_sql.recount([]) == recount_sql.Recounted({}, Counter())


def test_one_install_makes_the_cells_that_the_plain_recount_finds() -> None:
    assert_agree([sent(installed())])


def test_silence_heard_of_twice_is_counted_from_its_beginning() -> None:
    silent = hub_connected(on="2026-05-01"), hub_connected(on="2026-06-20")
    assert_agree([sent(event) for event in (installed(), commissioned(), *silent)])
