"""Tests of Regulars."""
