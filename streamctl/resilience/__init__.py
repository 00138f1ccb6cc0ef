"""What keeps going when something breaks: pure, shared by streamctl and the jobs."""
