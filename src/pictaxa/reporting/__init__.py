"""The report: one self-contained page about a run. Imports no torch."""
