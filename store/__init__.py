"""Persistence: tables, engine, settings, ingestion and reads."""
