"""The entry of the command `regulars`."""

import os

from rich.console import Console

__all__ = ["run"]


def run() -> None:
    """Run the command line."""
    # The small systems of our fits are solved faster by one thread than by several that wait for each other; the
    # library reads this once, when it is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # The libraries take seconds to load; a terminal shows that something is happening, a file gets nothing.
    with Console(stderr=True).status("Loading"):
        from cli.main import main

    main()


if __name__ == "__main__":
    run()
