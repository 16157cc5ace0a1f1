"""Settings of a training, once, and the well-known sets of them."""
