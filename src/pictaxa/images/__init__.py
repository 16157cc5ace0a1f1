"""Pictures: bytes to upright pixels to squares."""
