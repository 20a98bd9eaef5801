"""Runs `rollout` as a person would: in a process of its own, with a home of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROLLOUT = str(Path(sys.executable).with_name("rollout"))


def environment(home: Path) -> dict[str, str]:
    """The environment of a run that keeps its key and its work under a home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROLLOUT_")}
    return {**kept, "ROLLOUT_HOME": str(home), "NO_COLOR": "1"}


def rollout(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The finished process of a command."""
    command = [ROLLOUT, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(home), timeout=300, cwd=home.parent
    )
