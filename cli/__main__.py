"""The entry of the command `regulars`."""

import os

__all__ = ["run"]


def run() -> None:
    """Run the command line."""
    # The small systems of our fits are solved faster by one thread than by several that wait for each other; the
    # library reads this once, when it is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cli.main import main

    main()


if __name__ == "__main__":
    run()
