"""`rollout release` and `rollout explain` as people use them, on the store of a real run."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from pipelines.synthetic import Plan
from tests.pipelines.cli.commands import rollout
from tests.pipelines.whole_runs import britain

BECAUSE = ("--because", "made up for a test")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and two releases of it, in the folders `first` and `second`."""
    folder = tmp_path_factory.mktemp("releases")
    events = britain(folder / "in", Plan(meters=1_500, seed=5, until=date(2021, 6, 30), dirt=0.2))
    home, store = folder / "home", folder / "r.db"
    assert rollout(home, "run", "--input", events, "--store", store).returncode == 0
    for name, quarter in (("first", "2021Q1"), ("second", "2021Q2")):
        done = rollout(
            home, "release", "create", "--store", store, "--quarter", quarter, "--out", folder / name, *BECAUSE
        )
        assert (done.returncode, done.stdout) == (0, f"{quarter}-1\n"), done.stderr
    return folder


def test_releases_are_listed(made: Path) -> None:
    done = rollout(made / "home", "release", "list", "--store", made / "r.db")
    header, *rows = done.stdout.splitlines()
    assert header == "name,quarter,status,published_at,as_at,figures,changed_figures"
    assert [row.split(",")[:3] for row in rows] == [[f"2021Q{n}-1", f"2021Q{n}", "provisional"] for n in (1, 2)]


def test_an_export_is_the_same_byte_for_byte(made: Path, tmp_path: Path) -> None:
    for name, release in (("first", "2021Q1-1"), ("second", "2021Q2-1")):
        done = rollout(made / "home", "release", "export", release, "--store", made / "r.db", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        written = {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        assert written == {path.relative_to(made / name): path.read_bytes() for path in (made / name).rglob("*.*")}


def test_bundles_stand_against_attacks_without_any_key(made: Path, tmp_path: Path) -> None:
    done = rollout(tmp_path / "another home", "release", "attack", made / "second", made / "first")
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header == "attack,atoms,narrowest,narrower_than_policy"
    assert {row.rpartition(",")[2] for row in rows} == {"0"}


def test_a_bundle_that_was_changed_is_refused(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "first", tmp_path / "first")
    with (tmp_path / "first" / "tidy.csv").open("a") as file:
        file.write("2021Q1-1,2021Q1,atoms,meters,BGAS,,,,,,,,7,\n")
    done = rollout(tmp_path / "home", "release", "attack", tmp_path / "first")
    assert (done.returncode, done.stderr) == (2, "first: The file tidy.csv was changed.\n")
    missing = rollout(tmp_path / "home", "release", "attack", tmp_path / "no such")
    assert (missing.returncode, missing.stderr) == (2, f"There is no folder {tmp_path / 'no such'}.\n")


def test_a_diff_has_the_columns_of_the_tidy_file_old_new_and_why(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "diff.csv"
    done = rollout(made / "home", "release", "diff", "2021Q1-1", "2021Q2-1", "--store", made / "r.db", "--out", out)
    assert done.returncode == 0, done.stderr
    header, *rows = out.read_text().splitlines()
    tidy = (made / "second" / "tidy.csv").read_text().splitlines()[0].removesuffix(",value,marker")
    assert header == f"change,{tidy},old,new,why"
    assert {row.split(",")[0] for row in rows} == {"CREATE", "DELETE"}
    assert all(row.split(",")[1] == "2021Q2-1" for row in rows)


def test_a_figure_is_explained_and_what_is_restricted_is_written_apart(made: Path, tmp_path: Path) -> None:
    words = ("1", "2021Q2", "measure=smart_meters", "fuel=GAS")
    done = rollout(made / "home", "explain", "2021Q2-1", *words, "--store", made / "r.db")
    assert done.returncode == 0, done.stderr
    assert "Definition: Domestic meters operated by large suppliers" in done.stdout
    assert "Read: " in done.stdout
    out = tmp_path / "restricted"
    more = rollout(made / "home", "release", "restricted", "2021Q2-1", "--store", made / "r.db", "--out", out)
    assert more.returncode == 0, more.stderr
    assert {"scorecard.csv", "flow_and_stock.csv", "visits.csv"} <= {path.name for path in out.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "--quarter", "2021Q9", "--out", "x"), "'2021Q9' is not a quarter such as 2026Q3."),
        (("create", "--quarter", "2021Q2", "--out", "x", "--status", "late"), "--status is provisional or final"),
        (("create", "--quarter", "2021Q2", "--out", "x", "--as-at", "2021-01-01"), "count with --as-at first."),
        (("export", "2030Q1-1", "--out", "x"), "has no release 2030Q1-1"),
        (("diff", "2021Q1-1", "2030Q1-1", "--out", "x.csv"), "has no release 2030Q1-1"),
        (("restricted", "2030Q1-1", "--out", "x"), "has no release 2030Q1-1"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_status_2(made: Path, arguments: tuple[str, ...], words: str) -> None:
    done = rollout(made / "home", "release", *arguments, "--store", made / "r.db")
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert not (made / "x").exists()
