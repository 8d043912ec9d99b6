"""The command line `regulars`."""
