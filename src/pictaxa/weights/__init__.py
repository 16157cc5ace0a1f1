"""Weights: files in and out, and rules that bring other libraries' weights into ours."""
