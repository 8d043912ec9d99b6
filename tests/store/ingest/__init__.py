"""Tests of `store.ingest`."""
