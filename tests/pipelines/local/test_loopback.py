"""Nobody on another machine reaches a bounded run."""

import subprocess
from pathlib import Path

import pytest

from tests.listening import family, listeners, reached_from_outside
from tests.pipelines.cli.commands import ROLLOUT, environment
from tests.pipelines.whole_runs import small_britain

# For the control of workers, their data, their state and what they log.
SERVICES = 4


@pytest.mark.beam
def test_a_run_with_worker_processes_listens_on_the_loopback_address_only(tmp_path: Path) -> None:
    files = small_britain(tmp_path / "britain", 0.1)
    options = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    command = [ROLLOUT, "run", "--input", str(files), "--store", str(tmp_path / "one.db"), "--", *options]
    seen: dict[int, str] = {}
    with subprocess.Popen(command, env=environment(tmp_path / "home"), stderr=subprocess.PIPE, text=True) as run:
        while run.poll() is None:
            seen |= listeners(family(run.pid))
        assert run.returncode == 0, run.communicate()[1]
    assert len(seen) >= SERVICES
    assert reached_from_outside(seen) == {}
