"""The program of a worker process on this machine: Beam's worker, which is killed when its run ends."""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main(run: int) -> None:
    """Runs a worker for the process with the id `run`; exits if that process has already ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != run:
        sys.exit("The run has ended before its worker began.")
    # Imported here, since it takes seconds to load.
    from apache_beam.runners.worker import sdk_worker_main  # noqa: PLC0415

    sdk_worker_main.main([])


if __name__ == "__main__":
    main(int(sys.argv[1]))
