"""Running a model on pictures."""
