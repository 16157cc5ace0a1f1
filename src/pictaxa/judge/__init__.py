"""What a run, a set of pictures and its labels are worth."""
