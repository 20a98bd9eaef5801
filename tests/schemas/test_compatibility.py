"""The compatibility check: each rule by example, all of them against fastavro, and the contract itself."""

import copy
import io
import json
import shutil
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro.read import SchemaResolutionError
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codes, compatibility, registry
from schemas.compatibility import evolution_problems, reading_problems

Schema = dict[str, Any]
FUEL = {"type": "enum", "name": "Fuel", "symbols": ["ELECTRICITY", "GAS"]}


def record(*fields: Schema, name: str = "Reading") -> Schema:
    return {"type": "record", "name": name, "namespace": "gb.smartmeter.v1", "fields": list(fields)}


def field(name: str, avro_type: Any, **more: Any) -> Schema:
    return {"name": name, "type": avro_type, **more}


def found(newer: Schema, older: Schema) -> list[tuple[str, str, str]]:
    """Direction, code and place of every problem."""
    return [(p.direction, p.code, p.place) for p in evolution_problems(newer, older)]


BASE = record(field("meter", "string"), field("fuel", FUEL), field("count", "int"))
WITH_NOTE = record(*BASE["fields"], field("note", "string"))
WITH_DEFAULT = record(*BASE["fields"], field("note", ["null", "string"], default=None))


def with_fuel(**changes: Any) -> Schema:
    return record(field("meter", "string"), field("fuel", {**FUEL, **changes}), field("count", "int"))


def with_count(avro_type: Any) -> Schema:
    return record(field("meter", "string"), field("fuel", FUEL), field("count", avro_type))


def test_a_version_is_compatible_with_itself() -> None:
    assert found(BASE, BASE) == []


def test_a_field_added_with_a_default_is_no_problem_in_either_direction() -> None:
    assert found(WITH_DEFAULT, BASE) == found(BASE, WITH_DEFAULT) == []


def test_a_field_added_without_a_default_breaks_backward() -> None:
    assert found(WITH_NOTE, BASE) == [("backward", "FIELD", "Reading.note")]


def test_a_field_removed_that_had_no_default_breaks_forward() -> None:
    assert found(BASE, WITH_NOTE) == [("forward", "FIELD", "Reading.note")]


def test_a_renamed_field_breaks_both_directions() -> None:
    renamed = record(field("meter_point", "string"), *BASE["fields"][1:])
    expected = [("backward", "FIELD", "Reading.meter_point"), ("forward", "FIELD", "Reading.meter")]
    assert found(renamed, BASE) == expected


def test_a_field_renamed_with_an_alias_still_breaks_forward() -> None:
    renamed = record(field("meter_point", "string", aliases=["meter"]), *BASE["fields"][1:])
    assert found(renamed, BASE) == [("forward", "FIELD", "Reading.meter")]


def test_the_order_of_fields_and_the_words_about_them_do_not_matter() -> None:
    turned = record(*(dict(item, doc="Other words.") for item in reversed(BASE["fields"])))
    assert found(turned, BASE) == []


def test_a_widened_number_breaks_forward_only() -> None:
    assert found(with_count("long"), BASE) == [("forward", "TYPE", "Reading.count")]


def test_a_changed_type_breaks_both_directions() -> None:
    expected = [("backward", "TYPE", "Reading.count"), ("forward", "TYPE", "Reading.count")]
    assert found(with_count("boolean"), BASE) == expected


def test_a_type_that_becomes_optional_breaks_forward_only() -> None:
    assert found(with_count(["null", "int"]), BASE) == [("forward", "TYPE", "Reading.count")]


def test_a_new_branch_of_a_union_breaks_forward_only() -> None:
    older, newer = with_count(["null", "int"]), with_count(["null", "int", "string"])
    assert found(newer, older) == [("forward", "TYPE", "Reading.count")]


def test_a_new_symbol_breaks_forward_and_a_lost_one_backward() -> None:
    more = with_fuel(symbols=["ELECTRICITY", "GAS", "HEAT"])
    assert found(more, BASE) == [("forward", "SYMBOL", "Reading.fuel")]
    assert found(BASE, more) == [("backward", "SYMBOL", "Reading.fuel")]


def test_a_new_symbol_is_no_problem_where_the_older_version_has_a_default_for_unknown_ones() -> None:
    older = with_fuel(symbols=["ELECTRICITY", "GAS", "OTHER"], default="OTHER")
    newer = with_fuel(symbols=["ELECTRICITY", "GAS", "OTHER", "HEAT"], default="OTHER")
    assert found(newer, older) == []


def test_a_symbol_unknown_to_an_enum_inside_a_union_is_told_as_a_symbol() -> None:
    older, newer = (with_count(["null", {**FUEL, "name": "Kind", "symbols": s}]) for s in (["A"], ["A", "B"]))
    assert found(newer, older) == [("forward", "SYMBOL", "Reading.count")]


def test_a_renamed_enum_or_record_breaks_both_directions() -> None:
    expected = [("backward", "NAME", "Reading.fuel"), ("forward", "NAME", "Reading.fuel")]
    assert found(with_fuel(name="Energy"), BASE) == expected
    assert {code for _, code, _ in found(record(*BASE["fields"], name="Measure"), BASE)} == {"NAME"}


def test_a_logical_type_added_or_changed_breaks_both_directions() -> None:
    older, newer = with_count({"type": "int", "logicalType": "date"}), with_count("int")
    expected = [("backward", "LOGICAL_TYPE", "Reading.count"), ("forward", "LOGICAL_TYPE", "Reading.count")]
    assert found(newer, older) == expected


def test_a_type_may_be_named_again_instead_of_defined_again() -> None:
    named = record(*BASE["fields"], field("second_fuel", "Fuel"))
    spelled = record(*BASE["fields"], field("second_fuel", FUEL))
    assert found(named, spelled) == []


@pytest.mark.parametrize("avro_type", [{"type": "array", "items": "int"}, "Unheard"])
def test_a_construct_that_the_contract_does_not_use_is_refused_rather_than_passed(avro_type: Any) -> None:
    with pytest.raises(ValueError, match="The contract does not use the Avro type"):
        reading_problems(with_count(avro_type), BASE)


# Against fastavro: data written under one version is really read under another.

TYPES: tuple[Any, ...] = (
    "int",
    "long",
    "float",
    "double",
    "string",
    "bytes",
    "boolean",
    ["null", "int"],
    ["null", "string"],
    ["null", "long", "string"],
    FUEL,
    {**FUEL, "symbols": ["ELECTRICITY", "GAS", "HEAT"]},
    {**FUEL, "symbols": ["GAS", "ELECTRICITY"], "default": "GAS"},
    ["null", {**FUEL, "symbols": ["HEAT", "GAS"]}],
)
EXAMPLES: dict[str, Any] = {
    "null": None, "boolean": True, "int": 7, "long": 2**40, "float": 0.5, "double": 0.25, "string": "a", "bytes": b"b"
}  # fmt: skip
DEFAULTS: dict[str, Any] = {**EXAMPLES, "bytes": "b"}


def every_value(avro_type: Any) -> list[Any]:
    """One value for each branch and symbol of a type, so that a failure of any of them shows."""
    if isinstance(avro_type, list):
        return [value for branch in avro_type for value in every_value(branch)]
    if isinstance(avro_type, str):
        return [EXAMPLES[avro_type]]
    return list(avro_type["symbols"])


def default_of(avro_type: Any) -> Any:
    first = avro_type[0] if isinstance(avro_type, list) else avro_type
    return DEFAULTS[first] if isinstance(first, str) else first["symbols"][0]


@st.composite
def versions(draw: st.DrawFn) -> Schema:
    """A record of up to three of four possible fields, each of any type, with or without a default."""
    names = draw(st.lists(st.sampled_from("abcd"), unique=True, min_size=1, max_size=3))
    fields = []
    for number, name in enumerate(names):
        avro_type = copy.deepcopy(draw(st.sampled_from(TYPES)))
        for enum in avro_type if isinstance(avro_type, list) else [avro_type]:
            if isinstance(enum, dict):
                enum["name"] = f"Kind_{name}" if draw(st.booleans()) else f"Kind_{name}{number}"
        default = {"default": default_of(avro_type)} if draw(st.booleans()) else {}
        fields.append(field(name, avro_type, **default))
    return record(*fields)


def is_read_by_fastavro(reader: Schema, writer: Schema) -> bool:
    """Whether every branch and symbol of every field that the writer may write is read."""
    choices = {item["name"]: every_value(item["type"]) for item in writer["fields"]}
    for turn in range(max(map(len, choices.values()))):
        body = io.BytesIO()
        fastavro.schemaless_writer(body, writer, {name: seen[turn % len(seen)] for name, seen in choices.items()})
        body.seek(0)
        try:
            fastavro.schemaless_reader(body, writer, reader)
        except SchemaResolutionError:
            return False
    return True


@given(versions(), versions())
@settings(max_examples=400)
def test_there_is_a_problem_exactly_where_fastavro_fails_to_read(reader: Schema, writer: Schema) -> None:
    assert (reading_problems(reader, writer) == ()) == is_read_by_fastavro(reader, writer)


@given(versions(), versions())
@settings(max_examples=50)
def test_the_directions_are_each_other_s_mirror(newer: Schema, older: Schema) -> None:
    turn = {"backward": "forward", "forward": "backward"}
    mirrored = {(turn[p.direction], p.place, p.code) for p in evolution_problems(older, newer)}
    assert {(p.direction, p.place, p.code) for p in evolution_problems(newer, older)} == mirrored


# The contract itself.


@pytest.fixture
def contract(tmp_path: Path) -> tuple[Path, Path]:
    """Copies of the current schemas and of their history, to be spoiled."""
    return (
        Path(shutil.copytree(registry.AVRO_DIR, tmp_path / "avro")),
        Path(shutil.copytree(registry.HISTORY_DIR, tmp_path / "avro_history")),
    )


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_every_current_schema_is_compatible_with_every_released_version_and_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert compatibility.main() == 0
    assert capsys.readouterr().out == "All 15 record schemas are compatible with every released version.\n"


@pytest.mark.parametrize("name", codes.RECORDS)
def test_versions_in_the_history_are_numbered_from_1_without_a_gap(name: str) -> None:
    numbers = sorted(int(path.stem) for path in (registry.HISTORY_DIR / name).glob("*.avsc"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


def test_a_field_dropped_from_the_contract_is_found_and_printed_with_status_1(
    contract: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    fields = registry.current()["MeterRemoved"].schema["fields"]
    rewrite(contract[0] / "MeterRemoved.avsc", fields=fields[:-1])
    assert compatibility.main(*contract) == 1
    assert capsys.readouterr().out.splitlines() == [
        (
            "MeterRemoved.reason: the writer lacks the field and the reader has no default for it "
            "(FIELD; the old version cannot read what the new one writes)"
        ),
        (
            "MeterRemoved: the newest version in the history is not the current one "
            "(NOT_KEPT; the history of versions is not complete)"
        ),
    ]


def test_a_changed_schema_that_was_not_added_to_the_history_is_found(contract: tuple[Path, Path]) -> None:
    fields = registry.current()["FaultCase"].schema["fields"]
    rewrite(contract[0] / "FaultCase.avsc", fields=[*fields, field("note", ["null", "string"], default=None)])
    assert [problem.code for problem in compatibility.contract_problems(*contract)] == ["NOT_KEPT"]
    shutil.copy(contract[0] / "FaultCase.avsc", contract[1] / "FaultCase" / "2.avsc")
    assert compatibility.contract_problems(*contract) == []


def test_a_version_that_breaks_with_any_earlier_one_is_found_even_if_it_fits_the_newest(
    contract: tuple[Path, Path],
) -> None:
    fields = registry.current()["FaultCase"].schema["fields"]
    rewrite(contract[1] / "FaultCase" / "1.avsc", fields=[*fields, field("note", "string")])
    shutil.copy(contract[0] / "FaultCase.avsc", contract[1] / "FaultCase" / "2.avsc")
    assert [problem.place for problem in compatibility.contract_problems(*contract)] == ["FaultCase.note"]


def test_mended_words_need_no_new_version(contract: tuple[Path, Path]) -> None:
    rewrite(contract[0] / "FaultCase.avsc", doc="Said better.")
    assert compatibility.contract_problems(*contract) == []
