"""The Python interface: the commands as functions, their flags as arguments."""
