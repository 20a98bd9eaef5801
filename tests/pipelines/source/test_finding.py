"""Whatever lies under an input is found, counted as another file, or refused by its name."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipelines.source.finding import Found, InputError, find, settled


def laid(folder: Path, *names: str) -> Path:
    """The folder, with files of these names under it."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def under(folder: Path, found: Found) -> list[str]:
    return [str(path.relative_to(folder)) for path in found.files]


def test_files_in_any_depth_and_case_are_found_and_others_counted(tmp_path: Path) -> None:
    laid(tmp_path, "BGAS/x.avro", "BGAS/2025/UP.AVRO", "EENG/.hidden.Avro", "README.txt", "BGAS/x.avro.part", "avro")
    found = find([tmp_path])
    assert under(tmp_path, found) == ["BGAS/2025/UP.AVRO", "BGAS/x.avro", "EENG/.hidden.Avro"]
    assert found.others == 3


def test_any_name_is_found(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"Z\xe4hler\n")
    assert under(tmp_path, find([laid(folder, os.fsdecode(b"\xff.avro"))])) == [os.fsdecode(b"Z\xe4hler\n/\xff.avro")]


def test_a_linked_folder_is_read_under_the_name_of_the_link(tmp_path: Path) -> None:
    laid(tmp_path / "elsewhere", "q3/x.avro")
    folder = laid(tmp_path / "in", "EENG/y.avro")
    (folder / "BGAS").symlink_to(tmp_path / "elsewhere" / "q3")
    assert under(folder, find([folder])) == ["BGAS/x.avro", "EENG/y.avro"]


def test_a_link_behind_a_link_is_followed(tmp_path: Path) -> None:
    laid(tmp_path / "far", "x.avro")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "BGAS").symlink_to(tmp_path / "far")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "all").symlink_to(tmp_path / "near")
    assert under(tmp_path / "in", find([tmp_path / "in"])) == ["all/BGAS/x.avro"]


@pytest.mark.parametrize("name", ["AAAA", "ZZZZ"])
def test_a_file_that_links_lead_to_is_found_once_in_its_own_folder(tmp_path: Path, name: str) -> None:
    laid(tmp_path, "BGAS/x.avro")
    (tmp_path / name).symlink_to("BGAS")
    (tmp_path / "EENG").mkdir()
    (tmp_path / "EENG" / "a.avro").symlink_to("../BGAS/x.avro")
    assert under(tmp_path, find([tmp_path])) == ["BGAS/x.avro"]
    assert under(tmp_path, find([tmp_path / name, tmp_path, tmp_path / "BGAS/x.avro"])) == [f"{name}/x.avro"]


def test_links_round_in_a_circle_end(tmp_path: Path) -> None:
    laid(tmp_path, "BGAS/x.avro")
    (tmp_path / "BGAS" / "all").symlink_to("..")
    (tmp_path / "BGAS" / "self").symlink_to(".")
    assert under(tmp_path, find([tmp_path])) == ["BGAS/x.avro"]


@pytest.mark.parametrize("link", ["BGAS/late.avro", "EENG"])
@pytest.mark.parametrize("to", ["nowhere", "self"])
def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path, link: str, to: str) -> None:
    laid(tmp_path, "BGAS/x.avro")
    (tmp_path / link).symlink_to(tmp_path / link if to == "self" else to)
    with pytest.raises(InputError, match=rf"^The link {tmp_path}/{link} leads nowhere: .*\.$"):
        find([tmp_path])


def test_a_folder_that_may_not_be_read_is_refused(
    closed_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    closed_folder.chmod(0o755)
    laid(closed_folder, "BGAS/x.avro", "EENG/y.avro")
    (closed_folder / "EENG").chmod(0)
    with unprivileged(), pytest.raises(InputError, match=rf"^The folder {closed_folder}/EENG cannot be read: .*\.$"):
        find([closed_folder])


def test_what_is_no_file_is_refused_if_it_is_named_like_one(tmp_path: Path) -> None:
    laid(tmp_path, "BGAS/x.avro")
    os.mkfifo(tmp_path / "BGAS" / "pipe")
    assert find([tmp_path]).others == 1
    os.mkfifo(tmp_path / "BGAS" / "pipe.avro")
    with pytest.raises(InputError, match=r"pipe\.avro is neither a file nor a folder\.$"):
        find([tmp_path])


def test_an_input_without_a_file_is_refused_beside_one_with_files(tmp_path: Path) -> None:
    laid(tmp_path, "in/BGAS/x.avro", "empty/README.txt")
    with pytest.raises(InputError, match=r"empty holds no \.avro file"):
        find([tmp_path / "in", tmp_path / "empty"])


def test_a_file_that_is_named_itself_is_read_whatever_its_name(tmp_path: Path) -> None:
    laid(tmp_path, "BGAS/x.data")
    assert under(tmp_path, find([tmp_path / "BGAS/x.data"])) == ["BGAS/x.data"]


@pytest.mark.parametrize("name", ["nowhere", "BGAS/x.avro/nowhere"])
def test_an_input_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    laid(tmp_path, "BGAS/x.avro")
    with pytest.raises(InputError, match=rf"^There is no file or folder {tmp_path}/{name}\.$"):
        find([tmp_path / name])


def test_an_input_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^There is no file or folder nowhere\.avro\.$"):
        find([Path("nowhere.avro")])


def test_dots_in_an_input_are_settled_as_the_system_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid(tmp_path, "in/BGAS/deep/x.avro", "in/EENG/y.avro")
    monkeypatch.chdir(tmp_path / "in" / "BGAS" / "deep")
    assert under(tmp_path, find([Path("..")])) == ["in/BGAS/deep/x.avro"]
    assert settled(Path()) == tmp_path / "in/BGAS/deep"
    (tmp_path / "link").symlink_to("in/BGAS")
    assert settled(tmp_path / "link" / ".." / "EENG") == tmp_path / "in/EENG"
    assert settled(tmp_path / "link") == tmp_path / "link"
