"""Events of any record, as JSON values: arbitrary ones for properties, a covering set for compatibility."""

import datetime as dt
from typing import Any

from hypothesis import strategies as st

Event = dict[str, Any]
MILLISECONDS = st.integers(0, 4_102_444_800_000)
LOGICAL = {
    "timestamp-millis": MILLISECONDS.map(
        lambda ms: dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)
    ),
    "date": st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)),
}
PRIMITIVES = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "string": st.text(max_size=12),
}


def values(avro_type: Any) -> st.SearchStrategy[Any]:
    """Every value that a type allows."""
    if isinstance(avro_type, list):
        return st.one_of(*map(values, avro_type))
    if isinstance(avro_type, str):
        return PRIMITIVES[avro_type]
    if avro_type["type"] == "enum":
        return st.sampled_from(avro_type["symbols"])
    return LOGICAL[avro_type["logicalType"]]


def events(schema: dict[str, Any]) -> st.SearchStrategy[Event]:
    """Every event that a record schema allows."""
    return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in schema["fields"]})
