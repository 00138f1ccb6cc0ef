"""What an operator does with the whole job: start, stop, look, read its log."""
