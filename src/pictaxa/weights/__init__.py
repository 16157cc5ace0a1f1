"""Weights: reading and writing files, and rules that map other libraries' weights to ours."""
