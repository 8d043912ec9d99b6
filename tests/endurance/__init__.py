"""Long tests, run by `make endurance`."""
