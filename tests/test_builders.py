"""The builders make what the field would accept."""

from pathlib import Path

import pytest

from schemas.codes import RECORDS
from schemas.registry import parsed
from schemas.sources import sources
from tests import builders as build
from tests.builders import ACME, BOLT, CITY, DCC, DUKE, Layout, mpan, mprn, write_files
from tests.oracle.event import sent
from tests.oracle.validation import reason_codes

ONE_OF_EACH = [
    build.installed(),
    build.removed(),
    build.mode_changed(),
    build.gained(),
    build.lost(),
    build.payment_changed(),
    build.visited(),
    build.fault_case(),
    build.declared(1),
    build.device_status(),
    build.commissioned(),
    build.hub_connected(),
    build.migrated(),
    build.credentials_changed(),
    build.service_measured(),
]


@pytest.mark.parametrize(
    ("distributor", "number", "core"),
    [(13, 1234567890, "1312345678907"), (20, 1234567890, "2012345678906"), (10, 4, "1000000000040")],
)
def test_mpans_have_the_right_check_digit(distributor: int, number: int, core: str) -> None:
    assert mpan(number, distributor).id == core


@pytest.mark.parametrize(
    ("number", "whole"),
    [(39384244, "3938424403"), (12345678, "1234567810"), (75123456, "7512345604"), (10000002, "1000000210")],
)
def test_mprns_have_the_right_check_digits(number: int, whole: str) -> None:
    assert mprn(number).id == whole


def test_the_people_are_on_the_list_of_sources() -> None:
    kinds = [sources()[name].kind for name in (ACME, BOLT, CITY, DUKE, DCC)]
    assert kinds == ["SUPPLIER"] * 4 + ["DCC"]


def test_there_is_a_builder_for_every_record_and_validation_accepts_what_it_makes() -> None:
    assert tuple(event["record"] for event in ONE_OF_EACH) == RECORDS
    assert [reason_codes(sent(event)) for event in ONE_OF_EACH] == [""] * len(RECORDS)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=RECORDS)
def test_an_event_has_exactly_the_fields_of_its_record(event: build.Event) -> None:
    fields = [field["name"] for field in parsed(event["record"])["fields"]]
    assert sorted(event) == sorted([*fields, "record"])


def test_the_same_words_make_the_same_event_and_other_words_another() -> None:
    assert build.installed() == build.installed()
    assert build.installed()["event_id"] != build.installed(by=BOLT)["event_id"]
    assert build.amend(build.installed())["event_id"] != build.void(build.installed())["event_id"]


def test_the_same_events_make_the_same_files(tmp_path: Path) -> None:
    layout = Layout(block_records=2, codec="deflate", parts=2, shuffle=1)
    first = write_files(tmp_path / "one", ONE_OF_EACH, layout)
    second = write_files(tmp_path / "two", ONE_OF_EACH, layout)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert (tmp_path / "one" / ACME / "MeterInstalled-2.avro").exists()
