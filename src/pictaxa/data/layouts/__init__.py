"""The layouts that pictures come in, a file for each: how it is told, listed, and read from."""
