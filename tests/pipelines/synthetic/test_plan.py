"""What may be asked for."""

from datetime import date
from typing import Any

import pytest

from pipelines.synthetic import Plan, PlanError, meters_for

GOOD: dict[str, Any] = {"meters": 100, "seed": 1, "until": date(2024, 12, 31), "dirt": 0.0}


@pytest.mark.parametrize(
    "bad", [{"meters": 0}, {"seed": -1}, {"until": date(2011, 12, 31)}, {"until": date(2031, 1, 1)}, {"dirt": 1.1}]
)
def test_a_plan_that_makes_no_sense_is_refused_in_one_sentence(bad: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=r"^The [^.]*\.$"):
        Plan(**{**GOOD, **bad})


def test_the_scale_is_of_the_meters_at_the_end_of_2024() -> None:
    assert Plan(**{**GOOD, "meters": 57_900}).scale == pytest.approx(0.001)


def test_more_events_want_more_meters() -> None:
    sizes = [meters_for(events) for events in (1, 10_000, 1_000_000, 3_000_000, 10_000_000)]
    assert sizes == sorted(set(sizes))
