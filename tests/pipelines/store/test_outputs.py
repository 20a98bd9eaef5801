import csv
import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.store import OutputError
from pipelines.store.lines import csv_lines
from pipelines.store.outputs import write_cells_csv, write_intake_csv, write_quarantine_csv
from tests.pipelines.store.runs import Cell, cells, intake, many_cells, quarantine


def test_cells_are_written_with_a_header_and_lf_in_byte_order(tmp_path: Path) -> None:
    rows = cells(Cell(2, detail="D1-7"), Cell(-1), Cell(3, measure="meters_local", source_id=""))
    write_cells_csv(rows, tmp_path / "cells.csv")
    assert (tmp_path / "cells.csv").read_bytes() == (
        b"measure,quarter,source_id,region_code,fuel,sector,meter_type,operating_mode,payment_mode,detail,value\n"
        b"meters,2026Q3,BGAS,E12000007,ELECTRICITY,DOMESTIC,SMETS2,SMART,CREDIT,,-1\n"
        b"meters,2026Q3,BGAS,E12000007,ELECTRICITY,DOMESTIC,SMETS2,SMART,CREDIT,D1-7,2\n"
        b"meters_local,2026Q3,,E12000007,ELECTRICITY,DOMESTIC,SMETS2,SMART,CREDIT,,3\n"
    )


def test_the_order_of_the_rows_that_come_in_does_not_matter(tmp_path: Path) -> None:
    rows = many_cells(1_000)
    for name, frame in (("a.csv", rows), ("b.csv", rows.sample(fraction=1, shuffle=True, seed=1))):
        write_cells_csv(frame, tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_no_cells_are_a_header_alone(tmp_path: Path) -> None:
    write_cells_csv(cells(), tmp_path / "cells.csv")
    assert (tmp_path / "cells.csv").read_bytes().count(b"\n") == 1


def test_only_a_sentence_with_a_comma_is_quoted(tmp_path: Path) -> None:
    plain = ("BGAS", "MeterInstalled", "MPAN_CHECK_DIGIT", "Wrong; check it.", "BGAS/a.avro:1", 1)
    comma = ("BGAS", "", "UNDECODABLE", 'Write "it", again.', "", 2)
    write_quarantine_csv(quarantine(plain, comma), tmp_path / "quarantine.csv")
    assert (tmp_path / "quarantine.csv").read_text(encoding="utf-8") == (
        "owner,record_type,reason_code,sentence,provenance,rows\n"
        'BGAS,,UNDECODABLE,"Write ""it"", again.",,2\n'
        "BGAS,MeterInstalled,MPAN_CHECK_DIGIT,Wrong; check it.,BGAS/a.avro:1,1\n"
    )


def test_a_text_like_a_formula_has_an_apostrophe_before_it_and_a_negative_number_has_none(tmp_path: Path) -> None:
    row = ("=cmd|' /C calc'!A0", "", "UNDECODABLE", "Send it again.", "'-x/+y.avro row 1", -1)
    write_quarantine_csv(quarantine(row), tmp_path / "quarantine.csv")
    write_intake_csv(intake(("@SUM(A1)", "received", 2)), tmp_path / "intake.csv")
    write_cells_csv(cells(Cell(-5)), tmp_path / "cells.csv")
    wanted = "'=cmd|' /C calc'!A0,,UNDECODABLE,Send it again.,''-x/+y.avro row 1,-1"
    assert (tmp_path / "quarantine.csv").read_text().splitlines()[1:] == [wanted]
    assert "'@SUM(A1),received,2" in (tmp_path / "intake.csv").read_text().splitlines()
    assert (tmp_path / "cells.csv").read_text().endswith(",,-5\n")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(rows=st.lists(st.tuples(TEXT, TEXT, st.integers(-(2**63), 2**63 - 1)), max_size=8))
def test_a_csv_reader_reads_what_was_in_the_rows(rows: list[tuple[str, str, int]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String, "n": pl.Int64}, orient="row")
    text = "\n".join(csv_lines(frame))
    read = csv.reader(io.StringIO(text, newline=""))
    assert [tuple(row) for row in read] == [(a, b, str(n)) for a, b, n in rows]


def test_every_owner_has_all_six_statuses(tmp_path: Path) -> None:
    write_intake_csv(intake(("BGAS", "received", 3), ("BGAS", "accepted", 3), ("AVRO", "pending", 1)), tmp_path / "i")
    assert (tmp_path / "i").read_text().split() == [
        "owner,status,records",
        *(f"AVRO,{status},{1 if status == 'pending' else 0}" for status in ("accepted", "duplicate", "pending")),
        *(f"AVRO,{status},0" for status in ("received", "rejected", "superseded")),
        "BGAS,accepted,3",
        *(f"BGAS,{status},0" for status in ("duplicate", "pending")),
        "BGAS,received,3",
        *(f"BGAS,{status},0" for status in ("rejected", "superseded")),
    ]


@pytest.mark.parametrize(("unknown", "lines"), [(0, 0), (2, 1)])
def test_unknown_records_are_written_only_where_there_are_any(tmp_path: Path, unknown: int, lines: int) -> None:
    write_intake_csv(intake(("BGAS", "unknown", unknown), ("BGAS", "received", 1)), tmp_path / "intake.csv")
    assert (tmp_path / "intake.csv").read_text().count("BGAS,unknown,2\n") == lines
    assert (tmp_path / "intake.csv").read_text().count("unknown") == lines


def refusal(path: Path) -> str:
    with pytest.raises(OutputError) as refused:
        write_cells_csv(many_cells(1_000), path)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none" / "cells.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_a_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written" in refusal(tmp_path / "file" / "cells.csv")


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_the_former_file_stands(
    tmp_path: Path, no_file_beyond: Callable[[int], AbstractContextManager[None]]
) -> None:
    (tmp_path / "cells.csv").write_text("former\n")
    with no_file_beyond(10_000):
        assert "The disk is full" in refusal(tmp_path / "cells.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["cells.csv"]
    assert (tmp_path / "cells.csv").read_text() == "former\n"


def test_a_folder_that_may_not_be_written_is_one_sentence(
    closed_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    with unprivileged():
        assert "may not be written" in refusal(closed_folder / "cells.csv")


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("former\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    write_cells_csv(cells(Cell()), tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("measure,")


def test_a_pipe_is_written_straight(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_cells_csv(cells(Cell()), pipe)
    assert os.read(reader, 1_000).startswith(b"measure,")
    os.close(reader)
    assert pipe.is_fifo()
