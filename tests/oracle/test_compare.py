"""The file of cells, compared and written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import Layout, gained, installed, write_files
from tests.oracle.__main__ import main
from tests.oracle.compare import cells_csv, differences
from tests.oracle.event import Outcome, sent
from tests.oracle.plain import count


@pytest.fixture
def outcome() -> Outcome:
    return count([sent(installed()), sent(gained(on="2026-07-02"))])


@pytest.fixture
def file(tmp_path: Path, outcome: Outcome) -> Path:
    path = tmp_path / "cells.csv"
    path.write_text(cells_csv(outcome.cells), encoding="utf-8", newline="\n")
    return path


def test_a_recount_agrees_with_its_own_file(file: Path, outcome: Outcome) -> None:
    assert differences(file, outcome) == []


def test_an_altered_a_missing_and_an_added_cell_are_named(file: Path, outcome: Outcome) -> None:
    lines = file.read_text().splitlines()
    altered = next(n for n, line in enumerate(lines) if line.startswith("installations"))
    missing = next(n for n, line in enumerate(lines) if line.startswith("switches"))
    lines[altered] = lines[altered].rpartition(",")[0] + ",2"
    lines[missing] = lines[missing].replace("switches", "takeovers")
    file.write_text("\n".join([lines[0], *sorted(lines[1:])]) + "\n", encoding="utf-8")
    found = differences(file, outcome)
    assert [line.partition(",")[0] for line in found] == ["installations", "switches", "takeovers"]
    assert found[0].endswith(": 2 in the file, 1 by the recount")


def test_measures_of_the_dccs_service_are_left_out(file: Path, outcome: Outcome) -> None:
    lines = file.read_text().splitlines()
    lines.append("commissioning,2026Q2,SDCC,,ELECTRICITY,,,,,SUCCESS,1")
    file.write_text("\n".join([lines[0], *sorted(lines[1:])]) + "\n", encoding="utf-8")
    assert differences(file, outcome) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text.replace("\n", "\r\n"), "The file has carriage returns."),
        (lambda text: text.rstrip("\n"), "The file does not end with a line end."),
        (lambda text: text.replace("measure,", "what,"), "The header is not that of the cells."),
        (lambda text: text + text.splitlines()[1] + "\n", "A cell is written twice."),
        (lambda text: text + "visits,2026Q2,BGAS,,GAS,,,,,COMPLETED,0\n", "A cell of 0 is written."),
        (lambda text: text + text.splitlines()[1] + "\n", "The rows are not in byte order."),
    ],
)
def test_a_wrong_form_is_named(file: Path, outcome: Outcome, change: Callable[[str], str], sentence: str) -> None:
    file.write_bytes(change(file.read_text()).encode())
    assert sentence in differences(file, outcome)


def test_the_command_writes_the_cells_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path / "in", [installed(), gained(on="2026-07-02")], Layout(codec="deflate"))
    main([str(tmp_path / "in"), "--as-at", "2026-06-30"])
    written = capsys.readouterr().out
    assert written == cells_csv(count([sent(installed())]).cells)
    main([str(tmp_path / "in"), "--out", str(tmp_path / "cells.csv")])
    assert (tmp_path / "cells.csv").read_text().splitlines()[0].startswith("measure,quarter,source_id")


def test_the_command_names_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path / "nowhere")])
    assert stopped.value.code == 2
    assert "There is no" in capsys.readouterr().err
