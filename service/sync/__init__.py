"""Segments sent to targets outside, as a whole or as what changed since."""
