"""What the makers of llmkit run: set-up, lock, bless; no part of the wheel."""
