"""The settings of a training, defined once, and recipes of them."""
