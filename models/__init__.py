"""Predictive models and policies: pure mathematics over arrays."""
