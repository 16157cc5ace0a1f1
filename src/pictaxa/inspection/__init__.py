"""What is wrong with a data set: signatures of its squares -> checks -> findings -> lines, a page, a manifest."""
