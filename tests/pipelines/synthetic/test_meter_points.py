"""Numbers of meter points and devices."""

import re

import numpy as np
import numpy.typing as npt

from pipelines.synthetic.meter_points import POINT_WIDTH, device_numbers, mpans, mprns


def texts(data: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64] | None = None) -> list[str]:
    used = lengths if lengths is not None else np.full(len(data), data.shape[1])
    return [bytes(row[:n]).decode() for row, n in zip(data, used, strict=True)]


def mpan_is_right(text: str) -> bool:
    weights = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
    return sum(w * int(d) for w, d in zip(weights, text, strict=False)) % 11 % 10 == int(text[12])


def mprn_is_right(text: str) -> bool:
    lead = text[:-2]
    return sum(w * int(d) for w, d in zip(range(len(lead), 0, -1), lead, strict=True)) % 11 == int(text[-2:])


def test_the_checks_of_this_test_know_right_from_wrong() -> None:
    assert mpan_is_right("1312345678907")
    assert not mpan_is_right("1012345678901")
    assert mprn_is_right("3938424403")
    assert not mprn_is_right("3938424404")


def test_mpans_are_unique_thirteen_digits_of_their_distributor_with_the_right_check_digit() -> None:
    distributor = np.resize(np.arange(10, 39), 5000)
    found = texts(mpans(np.arange(5000), distributor))
    assert all(re.fullmatch("[0-9]{13}", text) and mpan_is_right(text) for text in found)
    assert [int(text[:2]) for text in found] == distributor.tolist()
    assert len(set(found)) == 5000


def test_mprns_are_unique_of_six_to_ten_digits_with_the_right_check_digits() -> None:
    data, lengths = mprns(np.arange(5000))
    found = texts(data, lengths)
    assert data.shape == (5000, POINT_WIDTH)
    assert all(re.fullmatch("[1-9][0-9]{5,9}", text) and mprn_is_right(text) for text in found)
    assert {len(text) for text in found} == {6, 9, 10}
    assert len(set(found)) == 5000


def test_every_device_has_its_own_number() -> None:
    meter, fitting = np.repeat(np.arange(1000), 3), np.tile(np.arange(3), 1000)
    numbers = np.concatenate([device_numbers(meter, fitting, role) for role in (0, 1)])
    assert len(np.unique(numbers)) == 6000
    assert numbers.all()
