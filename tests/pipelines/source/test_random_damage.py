"""Whatever happens to the bytes of a file, no record is lost in silence, and the oracle sees the same.

ROLLOUT_DAMAGES is how many damages the long test makes (300), ROLLOUT_SEED what they are drawn by. With `-s` it prints
what they did.
"""

import os
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipelines.source.damages import PACKERS, SHAPES, damaged, judged, written

DAMAGES = int(os.environ.get("ROLLOUT_DAMAGES", "300"))
SEED = int(os.environ.get("ROLLOUT_SEED", "1"))


def test_of_many_damages_none_is_silent(tmp_path: Path) -> None:
    draw = random.Random(SEED).randint
    told: Counter[tuple[str, str]] = Counter()
    changed = 0
    silent = []
    for number in range(DAMAGES):
        codec = tuple(PACKERS)[number % len(PACKERS)]
        whole = written(codec, SHAPES[draw(0, len(SHAPES) - 1)])
        verdict = judged(whole, damaged(whole, draw), tmp_path)
        told[codec, verdict.word] += 1
        changed += verdict.changed
        if verdict.silent:
            silent.append((number, codec, verdict))
    for (codec, word), damages in sorted(told.items()):
        print(f"{codec:10} {word:16} {damages:6}")
    print(f"seed {SEED}: {DAMAGES} damages, {changed} records changed unseen")
    assert not silent


@pytest.mark.parametrize("codec", PACKERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_is_silent(tmp_path: Path, codec: str, data: st.DataObject) -> None:
    whole = written(codec, data.draw(st.sampled_from(SHAPES)))
    hurt = damaged(whole, lambda least, most: data.draw(st.integers(least, most)))
    verdict = judged(whole, hurt, tmp_path)
    assert not verdict.silent
