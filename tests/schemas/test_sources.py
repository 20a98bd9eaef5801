"""The list of sources."""

import re

import pytest

from schemas import codes, sources


def rows() -> list[sources.Source]:
    return list(sources.sources().values())


def test_source_ids_are_unique_and_of_four_upper_case_letters() -> None:
    lines = sources.SOURCES_CSV.read_text(encoding="utf-8").splitlines()
    assert len(sources.source_ids()) == len(lines) - 1
    assert all(re.fullmatch("[A-Z]{4}", source_id) for source_id in sources.source_ids())


def test_names_are_unique() -> None:
    assert len({source.name for source in rows()}) == len(rows())


def test_the_dcc_is_the_one_source_that_is_no_supplier() -> None:
    assert [source.source_id for source in rows() if source.kind == "DCC"] == ["SDCC"]
    assert sources.supplier_ids() == tuple(s for s in sources.source_ids() if s != "SDCC")


def test_every_source_has_a_group_and_a_size_class_that_fits_its_kind() -> None:
    for source in rows():
        assert source.group
        assert source.kind in codes.SOURCE_KINDS
        assert source.size_class in codes.SIZE_CLASSES
        assert (source.size_class == codes.NOT_APPLICABLE) == (source.kind == "DCC")


def test_a_source_ends_after_it_begins() -> None:
    assert all(source.active_from < source.active_to for source in rows() if source.active_to)


def test_exactly_the_sources_that_ended_have_a_successor() -> None:
    assert all((source.active_to is None) == (source.successor is None) for source in rows())


def test_a_successor_is_a_supplier_that_is_active_when_it_takes_over() -> None:
    for source in rows():
        if source.successor and source.active_to:
            heir = sources.sources()[source.successor]
            assert heir.kind == "SUPPLIER"
            assert heir.active_from <= source.active_to
            assert heir.active_to is None or heir.active_to > source.active_to


@pytest.mark.parametrize("kind", codes.SOURCE_KINDS)
def test_a_kind_may_send_its_own_records_and_no_others(kind: str) -> None:
    expected = {"SUPPLIER": codes.SUPPLIER_RECORDS, "DCC": codes.DCC_RECORDS}
    assert sources.records_of(kind) == expected[kind]
