"""What a file says of when it was received: an instant of the calendar, or nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.events.calendar import FIRST_MS, LAST_MS
from pipelines.source.files import RECEIVED_AT, received_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def received(said: bytes | str) -> int | None:
    return received_ms({RECEIVED_AT: said if isinstance(said, bytes) else said.encode()})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1782820800000", 1_782_820_800_000),
        (" -1\n", -1),
        ("0", 0),
        ("2026-06-30T12:00Z", 1_782_820_800_000),
        ("2026-06-30T13:00:00.001+01:00", 1_782_820_800_001),
        ("20260630T120000.057Z", 1_782_820_800_057),
        ("0001-01-02T00:00Z", FIRST_MS),
    ],
)
def test_an_instant_is_read_to_the_millisecond(text: str, expected: int) -> None:
    assert received(text) == expected


@pytest.mark.parametrize(
    "said",
    [
        *("", "soon", "--5", "-", "+5", "5 5", "5.0", "1e12", "0x10", "1_000"),
        *("\u00b2", "\u0665", "\uff15", "5" * 5_000, "-" + "5" * 5_000, "9" * 18, str(2**63), str(LAST_MS + 1)),
        *("2026-06-30", "20260630T12", "2026-06-30T12:00", "9999-12-31T23:59-01:00", "0001-01-01T00:00+14:00"),
        *("2026-06-30T12:00+24:00", "10000-01-01T00:00Z", b"\xff\xfe", b"5\x00"),
    ],
)
def test_any_other_text_says_nothing(said: bytes | str) -> None:
    # A date such as 20260630 is milliseconds, as any number of digits is.
    assert received(said) is None


@given(st.datetimes(timezones=st.timezones()))
def test_any_time_with_its_zone_is_told_exactly(moment: datetime) -> None:
    instant = (moment - EPOCH) // timedelta(milliseconds=1)
    assert received(moment.isoformat()) == (instant if FIRST_MS <= instant <= LAST_MS else None)


@given(st.binary(max_size=30) | st.text(st.characters(categories=["Nd", "Nl", "No", "Pd"])).map(str.encode))
def test_nothing_that_a_file_says_ends_in_an_error(said: bytes) -> None:
    found = received(said)
    assert found is None or FIRST_MS <= found <= LAST_MS
