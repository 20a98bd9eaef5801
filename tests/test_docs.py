"""The documents say what the code does: reason codes, measures, verbs, modules and fields are the same in both."""

import re
from pathlib import Path

from pipelines.cli.app import app
from pipelines.quarterly.measures import MEASURES
from schemas.reasons import reasons
from schemas.registry import current

ROOT = Path(__file__).parents[1]


def lines_of(document: str) -> list[str]:
    return (ROOT / document).read_text(encoding="utf-8").splitlines()


def first_cells(document: str, pattern: str) -> list[str]:
    """What the first cells of a document's table rows hold between backticks, where it looks like the pattern."""
    found = (re.match(rf"\| `({pattern})` \|", line) for line in lines_of(document))
    return [match[1] for match in found if match]


def section(document: str, title: str) -> str:
    """The text under a heading of the second level."""
    return "\n".join(lines_of(document)).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_events_page_lists_every_reason_code_once() -> None:
    assert sorted(first_cells("docs/events.md", "[A-Z][A-Z0-9_]+")) == sorted(reasons())


def test_the_events_page_tells_every_reason_in_its_own_sentence() -> None:
    page = lines_of("docs/events.md")
    assert [f"| `{code}` | {reason.sentence} |" for code, reason in reasons().items()] == [
        line for line in page if re.match(r"\| `[A-Z][A-Z0-9_]+` \|", line)
    ]


def test_the_events_page_lists_every_record_with_its_own_fields() -> None:
    rows = {name: row for row in lines_of("docs/events.md") for name in re.findall(r"^\| `([A-Z][a-z]\w+)` \|", row)}
    listed = {name: re.findall(r"`([a-z][a-z_]+)`", row.split("|")[3]) for name, row in rows.items()}
    assert listed == {name: list(schema.field_names[8:]) for name, schema in current().items()}


def test_the_events_page_lists_the_envelope_in_its_order() -> None:
    fields = first_cells("docs/events.md", "[a-z_]+")
    assert all(fields == list(schema.field_names[:8]) for schema in current().values())


def test_the_ledger_page_lists_every_measure_in_its_order() -> None:
    rows = section("docs/ledger.md", "Measures").splitlines()
    assert [row.split("`")[1] for row in rows if row.startswith("| `")] == list(MEASURES)


def test_the_readme_lists_every_verb_in_the_order_of_the_help() -> None:
    listed = re.findall(r"^\| `rollout ([a-z]+)\b", "\n".join(lines_of("README.md")), re.MULTILINE)
    verbs = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    assert listed == [*verbs, *(group.name for group in app.registered_groups)]


def test_the_architecture_page_names_what_is_there() -> None:
    named = re.findall(r"`((?:[a-z]+/)+(?:\w+\.py)?)`", "\n".join(lines_of("docs/architecture.md")))
    assert len(named) > 40
    assert [name for name in named if not (ROOT / name).exists()] == []
