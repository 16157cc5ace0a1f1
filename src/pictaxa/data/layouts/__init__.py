"""The data layouts, one file each: how a layout is recognised, listed and read."""
