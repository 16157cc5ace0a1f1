"""What the machine gives: devices, files, threads, lines on a screen."""
