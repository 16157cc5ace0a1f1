"""A trained run in the format of another runtime, checked against the run before it may be used."""
