"""The repository's own rules: the shape of the code, the requirements, the licences, and what no file may name."""

import ast
import re
import statistics
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "expectations", "pipelines", "dashboards", "infra")
Function = ast.FunctionDef | ast.AsyncFunctionDef

# The namespaces of a Maven project file look like a host and are none.
REGISTRY_HOST = re.compile(
    r"\b(pypi|pythonhosted|npmjs|yarnpkg|crates|golang|debian|maven(\.apache)?)\.(org|com|io)\b(?!/(POM|xsd))"
)


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def functions() -> Iterator[tuple[str, Function]]:
    """Every function of the packages, with the place it stands at."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def lines(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def is_typed(function: Function) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    return function.returns is not None and all(argument.annotation for argument in named)


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every text file that is, or would be, committed."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listing.split("\0")):
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" not in content[:8000]:
            yield name, content.decode("utf-8")


def requirement_names(requirements: list[str | dict[str, str]]) -> set[str]:
    """The names of the packages in a list of requirements, without extras and versions."""
    return {re.split(r"[^A-Za-z0-9-]", item)[0] for item in requirements if isinstance(item, str)}


def project() -> dict[str, set[str]]:
    """The direct dependencies, by what they are for."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = {
        **declared["project"]["optional-dependencies"],
        "base": declared["project"]["dependencies"],
        **declared["dependency-groups"],
    }
    return {name: requirement_names(items) for name, items in extras.items()}


def pinned(name: str) -> dict[str, str]:
    """Each package of a requirements file with the lines that belong to it."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return {block.partition("==")[0]: block for block in re.split(r"\n(?=[a-z])", text) if not block.startswith("#")}


def test_most_functions_are_short_and_none_is_long() -> None:
    lengths = sorted((lines(function), place) for place, function in functions())
    assert statistics.median(length for length, _ in lengths) <= 10
    assert lengths[int(0.9 * len(lengths))][0] <= 35
    assert [entry for entry in lengths if entry[0] > 60] == []


def test_every_function_is_typed() -> None:
    assert [place for place, function in functions() if not is_typed(function)] == []


def test_no_module_is_longer_than_400_lines() -> None:
    counts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in modules()}
    assert {name: count for name, count in counts.items() if count > 400} == {}


def test_only_what_one_reads_first_stands_at_the_root_of_the_pipelines() -> None:
    loose = [path.stem for path in (ROOT / "pipelines").glob("*.py")]
    assert sorted(loose) == ["__init__", "bounded", "flow", "fold", "keys", "settings"]


def test_no_module_is_named_after_nothing() -> None:
    vague = {"utils", "util", "helpers", "common", "manager", "misc"}
    assert [str(path) for path in modules() if path.stem in vague or path.parent.name in vague] == []


def test_no_file_names_a_package_registry_s_host() -> None:
    named = [(name, match[0]) for name, text in texts() for match in REGISTRY_HOST.finditer(text)]
    assert named == []


@pytest.mark.parametrize("parts", [("files", "pythonhosted", "org"), ("repo", "maven", "apache", "org")])
def test_a_package_registry_s_host_is_recognised(parts: tuple[str, ...]) -> None:
    assert REGISTRY_HOST.search(f"https://{'.'.join(parts)}/simple")


def test_no_file_names_the_folder_that_the_repository_lies_in() -> None:
    # A clone may lie where every machine has a folder, of which files may speak.
    everywhere = {"/", "/tmp", "/srv", "/opt", "/home", "/root", "/var/tmp"}
    told = ROOT if str(ROOT.parent) in everywhere else ROOT.parent
    assert [name for name, text in texts() if f"{told}/" in text] == []


def test_there_is_no_lock_file_that_would_name_a_host() -> None:
    assert [name for name, _ in texts() if Path(name).name in {"uv.lock", "poetry.lock", "Pipfile.lock"}] == []


@pytest.mark.parametrize("name", ["all.txt", "dashboard.txt", "newest-beam.txt", "uv.txt"])
def test_every_requirement_is_pinned_with_hashes_and_no_option_says_where_from(name: str) -> None:
    packages = pinned(name)
    assert packages
    assert all("==" in block and "--hash=sha256:" in block for block in packages.values())
    options = re.findall(r"^\s*(-\S+?)[=\s]", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert set(options) == {"--hash"}


def test_all_direct_dependencies_are_in_the_requirements() -> None:
    assert set().union(*project().values()) - set(pinned("all.txt")) == set()


def test_the_dashboard_s_requirements_hold_neither_beam_nor_great_expectations() -> None:
    packages = set(pinned("dashboard.txt"))
    assert project()["base"] | project()["dashboard"] <= packages
    assert not packages & project()["pipeline"]


def test_beam_is_pinned_and_the_newest_is_newer() -> None:
    assert pinned("all.txt")["apache-beam"].startswith("apache-beam==2.62.0 ")
    newest = re.match(r"apache-beam==2\.(\d+)\.", pinned("newest-beam.txt")["apache-beam"])
    assert newest
    assert int(newest[1]) > 62


# Licences that let this project be given on under Apache-2.0. MPL-2.0 asks for its own files' source only, and
# the LGPL that a library stays replaceable, which an import leaves it. A tool under the GPL is only ever run.
PERMISSIVE = {
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "MIT OR Apache-2.0",
    "Apache-2.0 OR BSD-3-Clause",
    "ZPL-2.1",
}
LIBRARIES = PERMISSIVE | {"Apache-2.0 AND BSD-2-Clause", "LGPL-2.1-or-later", "LGPL-3.0-only"}
TOOLS = LIBRARIES | {"MPL-2.0", "GPL-3.0-or-later"}


def listed_licences() -> dict[str, str]:
    """Package and licence of each row of the table in docs/licences.md."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]+?) \|", (ROOT / "docs/licences.md").read_text(), re.MULTILINE)
    return dict(rows)


def licence_words(package: str) -> str:
    """All that an installed package's metadata, or else its licence file, says about its licence."""
    about = metadata.metadata(package)
    headers = [value for key in ("License-Expression", "License", "Classifier") for value in about.get_all(key) or []]
    said = " ".join(value for value in headers if not value.startswith(("Programming", "Development")))
    files = [file for file in metadata.files(package) or [] if file.name.upper().startswith("LICEN")]
    return said + " ".join(file.read_text() for file in files if ".dist-info" in str(file))


def test_every_direct_dependency_is_listed_with_its_licence_and_no_other_package_is() -> None:
    assert set(listed_licences()) == set().union(*project().values())


@pytest.mark.parametrize("package", sorted(set().union(*project().values())))
def test_a_dependency_s_licence_is_compatible_and_the_one_that_the_package_states(package: str) -> None:
    licence = listed_licences()[package]
    assert licence in TOOLS
    family = re.split(r"[- ]", licence)[0]
    said = licence_words(package)
    assert family in said or {"MPL": "Mozilla Public License"}.get(family, "Permission is hereby granted") in said


def test_only_tools_for_tests_are_under_a_licence_that_asks_for_source() -> None:
    asking = {package for package, licence in listed_licences().items() if licence not in LIBRARIES}
    assert asking <= project()["test"] | project()["dev"]
