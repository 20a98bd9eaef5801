"""The program that a worker process of a run on one machine is: Beam's worker, which is killed when its run ends."""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main(run: int) -> None:
    """Runs a worker for the process with a number."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != run:
        sys.exit("The run has ended before its worker began.")
    # It takes seconds to load.
    from apache_beam.runners.worker import sdk_worker_main  # noqa: PLC0415

    sdk_worker_main.main([])


if __name__ == "__main__":
    main(int(sys.argv[1]))
