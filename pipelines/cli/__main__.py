"""Runs `rollout`: as `python -m pipelines.cli`, and as the program of that name."""

import signal


def main() -> None:
    """Runs the verb that the process's arguments name."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # Until the verbs are loaded there is nothing to clear away, so Ctrl+C may end the program without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipelines.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
