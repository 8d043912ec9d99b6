"""What no package of ours can bring, checked before anything is installed. Runs on a bare Python."""

import ctypes
import importlib.util
import sys

__all__ = ["problems"]

_EXPECTED = (3, 11)


def problems():  # type: ignore[no-untyped-def]  # must run on any Python, to be able to say that it is too old
    """Return what is missing, each with the one command that mends it."""
    found = []
    if sys.version_info[:2] != _EXPECTED:
        found.append(
            "Python {}.{} is needed, this is {}.{}. Run: make PYTHON=python3.11 setup".format(
                *_EXPECTED, *sys.version_info[:2]
            )
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        found.append("This Python can't make virtual environments. Run: sudo apt-get install -y python3-venv")
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libgomp.so.1")
        except OSError:
            found.append("LightGBM needs the library libgomp. Run: sudo apt-get install -y libgomp1")
    return found


if __name__ == "__main__":
    missing = problems()  # type: ignore[no-untyped-call]
    for line in missing:
        print(line, file=sys.stderr)
    sys.exit(1 if missing else 0)
