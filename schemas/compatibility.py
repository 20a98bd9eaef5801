"""Checks whether data written with one version of a record can be read with another, in both directions.

The rules are those of the Avro specification ("Schema resolution") for what the contract uses: records, enums,
primitives, unions and logical types; anything else raises ValueError. One rule is stricter than Avro's: a changed
logical type is a problem, because the bytes would be read and misunderstood.

`python -m schemas.compatibility` checks every current schema against every version that was ever released, prints
all problems and ends with status 1 if there are any.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from schemas import registry
from schemas.codes import RECORDS

Avro: TypeAlias = "str | list[Any] | dict[str, Any]"
Code = Literal["NAME", "FIELD", "TYPE", "SYMBOL", "LOGICAL_TYPE", "NOT_KEPT"]
Direction = Literal["backward", "forward", ""]

PROMOTIONS: Final = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}
PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "string", "bytes")
DIRECTIONS: Final[dict[Direction, str]] = {
    "backward": "the new version cannot read what the old one wrote",
    "forward": "the old version cannot read what the new one writes",
    "": "the history of versions is not complete",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a version cannot follow another: where, what kind, a sentence, and the direction that breaks."""

    place: str
    code: Code
    sentence: str
    direction: Direction = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence} ({self.code}; {DIRECTIONS[self.direction]})"


def evolution_problems(newer: Avro, older: Avro) -> tuple[Problem, ...]:
    """Returns every reason why `newer` and `older` cannot read each other's data, backward ones first."""
    backward = (replace(problem, direction="backward") for problem in reading_problems(newer, older))
    forward = (replace(problem, direction="forward") for problem in reading_problems(older, newer))
    return (*backward, *forward)


def reading_problems(reader: Avro, writer: Avro) -> tuple[Problem, ...]:
    """Returns every reason why some data written with `writer` cannot be read with `reader`; empty if all can."""
    return tuple(_compare(_expand(reader, {}), _expand(writer, {}), ""))


def _expand(schema: Avro, names: dict[str, Avro]) -> Avro:
    """Returns the schema with references to named types replaced by their definitions and every type as a mapping."""
    if isinstance(schema, list):
        return [_expand(branch, names) for branch in schema]
    if isinstance(schema, str):
        return {"type": schema} if schema in PRIMITIVES else _known(schema, names)
    return _expand_mapping(schema, names)


def _expand_mapping(schema: dict[str, Any], names: dict[str, Avro]) -> Avro:
    kind = schema["type"]
    if not isinstance(kind, str):
        return _expand(kind, names)
    if kind == "record":
        schema = {**schema, "fields": [{**field, "type": _expand(field["type"], names)} for field in schema["fields"]]}
    if kind in ("record", "enum"):
        return names.setdefault(_short(schema["name"]), schema)
    return schema if kind in PRIMITIVES else _known(kind, names)


def _known(name: str, names: dict[str, Avro]) -> Avro:
    if _short(name) not in names:
        raise ValueError(f"The contract does not use the Avro type {name}, or uses it before it is defined.")
    return names[_short(name)]


def _short(name: str) -> str:
    """Returns a name without its namespace, because resolution compares unqualified names."""
    return name.rpartition(".")[2]


def _compare(reader: Any, writer: Any, place: str) -> Iterator[Problem]:
    if isinstance(writer, list):
        for branch in writer:
            yield from _compare(reader, branch, place)
    elif isinstance(reader, list):
        yield from _compare_with_union(reader, writer, place)
    elif reader["type"] == writer["type"] == "record":
        yield from _compare_records(reader, writer, place)
    elif reader["type"] == writer["type"] == "enum":
        yield from _compare_enums(reader, writer, place)
    else:
        yield from _compare_primitives(reader, writer, place)


def _compare_with_union(reader: list[Any], writer: dict[str, Any], place: str) -> Iterator[Problem]:
    """Yields no problem if one branch reads everything, otherwise those of the branch of the same type."""
    found = {branch["type"]: tuple(_compare(branch, writer, place)) for branch in reader}
    if all(found.values()):
        lacking = Problem(place, "TYPE", f"no branch of the reader's union takes the writer's {writer['type']}")
        yield from found.get(writer["type"], (lacking,))


def _compare_names(reader: dict[str, Any], writer: dict[str, Any], place: str) -> Iterator[Problem]:
    accepted = {_short(name) for name in (reader["name"], *reader.get("aliases", ()))}
    if _short(writer["name"]) not in accepted:
        yield Problem(place, "NAME", f"the {writer['type']} {writer['name']} is called {reader['name']} by the reader")


def _compare_records(reader: dict[str, Any], writer: dict[str, Any], place: str) -> Iterator[Problem]:
    place = f"{place}.{reader['name']}".lstrip(".")
    yield from _compare_names(reader, writer, place)
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        here = f"{place}.{field['name']}"
        match = next((written[name] for name in (field["name"], *field.get("aliases", ())) if name in written), None)
        if match is not None:
            yield from _compare(field["type"], match["type"], here)
        elif "default" not in field:
            yield Problem(here, "FIELD", "the writer lacks the field and the reader has no default for it")


def _compare_enums(reader: dict[str, Any], writer: dict[str, Any], place: str) -> Iterator[Problem]:
    yield from _compare_names(reader, writer, place)
    unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
    if unknown and "default" not in reader:
        yield Problem(
            place, "SYMBOL", f"the reader does not know {', '.join(unknown)} and has no default for unknown symbols"
        )


def _compare_primitives(reader: dict[str, Any], writer: dict[str, Any], place: str) -> Iterator[Problem]:
    if reader["type"] not in (writer["type"], *PROMOTIONS.get(writer["type"], ())):
        yield Problem(place, "TYPE", f"{writer['type']} cannot be read as {reader['type']}")
    elif reader.get("logicalType") != writer.get("logicalType"):
        was, now = (side.get("logicalType", f"plain {side['type']}") for side in (writer, reader))
        yield Problem(place, "LOGICAL_TYPE", f"{was} would be taken for {now}")


def _without_doc(schema: Any) -> Any:
    """Returns a schema without its texts for people, which may change without a new version."""
    if isinstance(schema, dict):
        return {key: _without_doc(value) for key, value in schema.items() if key != "doc"}
    return [_without_doc(item) for item in schema] if isinstance(schema, list) else schema


def record_problems(current: registry.RecordSchema, released: tuple[registry.RecordSchema, ...]) -> list[Problem]:
    """Returns the problems of a record's current version, given every released version, the newest last."""
    problems = [problem for older in released for problem in evolution_problems(current.schema, older.schema)]
    if not released or _without_doc(released[-1].schema) != _without_doc(current.schema):
        problems.append(Problem(current.record, "NOT_KEPT", "the newest version in the history is not the current one"))
    return list(dict.fromkeys(problems))


def contract_problems(avro_dir: Path, history_dir: Path) -> list[Problem]:
    """Returns the problems of all records' current versions in `avro_dir`, given the versions in `history_dir`."""
    return [
        problem
        for record in RECORDS
        for problem in record_problems(
            registry.load(avro_dir / f"{record}.avsc"), registry.released(record, history_dir)
        )
    ]


def main(avro_dir: Path = registry.AVRO_DIR, history_dir: Path = registry.HISTORY_DIR) -> int:
    """Prints every problem of the contract and returns the exit status: 0 for none, else 1."""
    problems = contract_problems(avro_dir, history_dir)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"All {len(RECORDS)} record schemas are compatible with every released version.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
