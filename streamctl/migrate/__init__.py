"""A change of the job's code or settings as one procedure, with a way back."""
