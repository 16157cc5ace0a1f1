"""Evaluates runs, data sets and labels."""
