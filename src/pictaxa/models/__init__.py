"""Architectures: one family, one file; `zoo.py` lists them all."""
