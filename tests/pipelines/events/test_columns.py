"""The columns of an event frame: all records' fields, each of one type."""

import polars as pl
import pytest

from pipelines.events.columns import ENVELOPE, content_types, event_types, one_type_each
from schemas.codes import RECORDS


def test_an_event_frame_has_every_field_of_every_record_in_its_type() -> None:
    types = event_types()
    assert ENVELOPE.items() <= types.items()
    for record in RECORDS:
        assert content_types(record).items() <= types.items()


def test_a_field_of_two_types_raises_and_neither_wins() -> None:
    one, other = {"reason": pl.UInt8, "size": pl.Int32}, {"size": pl.Int64}
    assert one_type_each([one, {"size": pl.Int32, "quarter": pl.String}]) == {**one, "quarter": pl.String}
    with pytest.raises(ValueError, match="The field size is Int32 in one record, Int64 in another"):
        one_type_each([one, other])
