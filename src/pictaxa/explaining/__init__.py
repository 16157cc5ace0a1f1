"""What a network looks with, and what it sees in a picture."""
