"""Training: prepare.py decides, loop.py does."""
