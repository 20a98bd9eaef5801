"""Names of files as text: printable, told apart, and to be told back."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.source.names import escaped, owner_of, provenances, unescaped

# Whatever a file system takes as a name.
NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not {0, ord("/")} & set(name)).map(os.fsdecode)


@pytest.mark.parametrize(
    "name",
    [
        "BGAS",
        "2026-07 installs (2).avro",
        "Zähler Juli.avro",
        "日本\u3000語",
        "a'b\"c;d,e=+-@[x]:smile:.avro",
        "x\u00a0y",
    ],
)
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert escaped(name) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"Z\xe4hler", "Z\\xe4hler"),
        (b"a\nb\tc\x1b[31m", "a\\x0ab\\x09c\\x1b[31m"),
        (b"a\\nb", "a\\x5cnb"),
        ("\u2028\u202e".encode(), "\\xe2\\x80\\xa8\\xe2\\x80\\xae"),
    ],
)
def test_what_is_no_printable_character_stands_as_its_bytes(name: bytes, text: str) -> None:
    assert escaped(os.fsdecode(name)) == text


@given(NAMES)
def test_any_name_is_printable_text_from_which_it_is_told_again(name: str) -> None:
    text = escaped(name)
    assert text.encode().decode() == text
    assert all(character.isprintable() or character.isspace() for character in text)
    assert "\n" not in text
    assert unescaped(text) == name


@given(st.lists(st.lists(st.sampled_from(["in", "BGAS", "2025", "x.avro"]), min_size=1, max_size=5), unique_by=tuple))
def test_no_two_files_have_one_provenance(parts: list[list[str]]) -> None:
    paths = [Path("/", *names) for names in parts]
    found = provenances(paths)
    assert len(set(found)) == len(paths)
    assert all(f"/{path}".endswith(f"/{text.lstrip('/')}") for path, text in zip(paths, found, strict=True))


def test_the_usual_provenance_is_the_owner_and_the_name() -> None:
    assert provenances([Path("/in/BGAS/x.avro"), Path("/in/EENG/x.avro")]) == ["BGAS/x.avro", "EENG/x.avro"]


def test_where_two_are_alike_and_only_there_more_folders_are_named() -> None:
    paths = [Path("/a/in/BGAS/x.avro"), Path("/b/in/BGAS/x.avro"), Path("/b/in/BGAS/y.avro")]
    assert provenances(paths) == ["a/in/BGAS/x.avro", "b/in/BGAS/x.avro", "BGAS/y.avro"]


def test_the_owner_is_the_folder_that_a_file_lies_in() -> None:
    assert owner_of(Path("/in/BGAS/2025/x.avro")) == "2025"
    assert owner_of(Path(os.fsdecode(b"/in/Z\xe4hler/x.avro"))) == "Z\\xe4hler"
