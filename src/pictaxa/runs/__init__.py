"""The run folder: its files, and what stands in them."""
