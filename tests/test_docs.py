"""The documents say what the code does: reason codes, measures, verbs, modules and fields are the same in both."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic_settings import BaseSettings

from infra.settings import ClusterSettings
from pipelines.cli.app import app
from pipelines.log.connection import LogEnvironment
from pipelines.quarterly.measures import MEASURES
from pipelines.settings import Environment
from pipelines.store.settings import StoreEnvironment
from schemas.reasons import reasons
from schemas.registry import current

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "schemas/README.md",
    *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)
# Typer brings its own copy of click, and names no class of it.
COMMANDS: Any = typer.main.get_command(app)
NOT_BUILT = re.compile(
    r"\bnot (?:\w+ ){0,6}yet\b|\byet (?:built|part of)\b|\bno \w+ (?:does|repeats) (?:this|that) yet\b", re.IGNORECASE
)
BEFORE = r".*bin/|.*\bstream |.*-- "
# Words that are no sentence about this program: what a person has not sent, or a meter has not reached.
NOT_OURS = ("installed yet", "not yet there", "has not come yet")


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


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command that a person can give, by its words."""
    found: dict[tuple[str, ...], Any] = {}
    for name, command in getattr(group, "commands", {}).items():
        found |= commands(command, (*path, name)) or {(*path, name): command}
    return found


def invocations(page: str) -> list[tuple[tuple[str, ...], list[str]]]:
    """What a page gives as commands of `rollout` in code: the words before the first argument, and the options."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\|", "|")
    fenced = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (rollout .*)", text, re.MULTILINE)
    code = [*"\n".join(fenced).splitlines(), *indented, *re.findall(r"`([^`\n]+)`", text)]
    # A line begins with the program, with its folder, or with a container in which it runs.
    given = [
        found[1].partition(" -- ")[0] for line in code if (found := re.match(f"(?:{BEFORE})?rollout ([a-z].*)", line))
    ]
    return [(_words(line), re.findall(r"(?<= )--[a-z][a-z-]*", line)) for line in given]


def _words(line: str) -> tuple[str, ...]:
    """The words of a command up to its first argument or option."""
    return tuple(itertools.takewhile(lambda word: re.fullmatch(r"[a-z|]+", word), line.split()))


def spelled(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """`kafka up|down` as the two commands that it stands for."""
    out: list[tuple[str, ...]] = [()]
    for word in words:
        out = [(*before, one) for before in out for one in word.split("|")]
    return out


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_commands_and_options_that_there_are(page: str) -> None:
    known = commands(COMMANDS)
    for words, options in invocations(page):
        for one in spelled(words):
            command = next((known[one[:size]] for size in (2, 1) if one[:size] in known), None)
            group = one[:1] in {path[:1] for path in known}
            assert command is not None or group, f"{page}: rollout {' '.join(one)}"
            offered = {name for parameter in (command.params if command else ()) for name in parameter.opts}
            assert set(options) <= offered | {"--help"}, f"{page}: rollout {' '.join(one)} {options}"


def test_the_readme_and_the_pages_for_people_name_every_command() -> None:
    named = {one[:2] for page in PAGES for words, _ in invocations(page) for one in spelled(words)}
    named |= {words[:1] for words in named}
    hidden = {path for path, command in commands(COMMANDS).items() if command.hidden}
    assert set(commands(COMMANDS)) - hidden - named == set()


def test_contributing_lists_every_target_of_the_makefile_with_what_ci_calls() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) - {"help"}
    assert set(re.findall(r"\| `make ([a-z-]+)` \|", "\n".join(lines_of("CONTRIBUTING.md")))) == targets
    called = re.findall(r"\bmake ([a-z -]+)$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    (told,) = (line for line in lines_of("CONTRIBUTING.md") if line.startswith("| `bash .ci/run` |"))
    assert re.findall(r"`([a-z-]+)`", told) == " ".join(called).split()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_settings_and_files_that_there_are(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [name for name in re.findall(r"\bROLLOUT_[A-Z][A-Z_]*[A-Z]\b", text) if name not in settings_read()] == []
    paths = re.findall(r"`((?:pipelines|schemas|expectations|dashboards|infra|tests|docs|benchmarks)/[\w./-]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def settings_read() -> set[str]:
    """The environment variables that some code reads: by a settings class, or by name."""
    classes: tuple[type[BaseSettings], ...] = (Environment, StoreEnvironment, LogEnvironment, ClusterSettings)
    fields = {f"{one.model_config.get('env_prefix')}{name}".upper() for one in classes for name in one.model_fields}
    sources = [path for folder in ("pipelines", "infra", "tests") for path in (ROOT / folder).rglob("*.py")]
    texts = (path.read_text(encoding="utf-8") for path in sources if path != Path(__file__))
    return fields | {name for text in texts for name in re.findall(r"\bROLLOUT_[A-Z_]*[A-Z]\b", text)}


def no_verb_erases() -> bool:
    return not any("erase" in words for words in commands(COMMANDS))


def no_container_is_tested() -> bool:
    return "test-containers" not in (ROOT / "Makefile").read_text(encoding="utf-8")


def work_lies_in_one_folder() -> bool:
    return "tempfile.mkdtemp" in (ROOT / "pipelines/local/work_folder.py").read_text(encoding="utf-8")


# Each sentence that says something is not there, and what holds as long as that is true.
MISSING: dict[str, Callable[[], bool]] = {
    "No command does this yet": no_verb_erases,
    "No test repeats that yet": no_container_is_tested,
    "spread over several machines by Flink is not built yet": work_lies_in_one_folder,
}


def test_what_is_said_not_to_be_there_is_not_there() -> None:
    told = [line for page in PAGES for line in lines_of(page) if NOT_BUILT.search(line)]
    ours = [line for line in told if not any(words in line for words in NOT_OURS)]
    assert [line for line in ours if not any(sentence in line for sentence in MISSING)] == []
    assert [sentence for sentence in MISSING if not any(sentence in line for line in ours)] == []
    assert [sentence for sentence, is_missing in MISSING.items() if not is_missing()] == []
