"""Training: setup.py decides, loop.py does."""
