"""What a checkpoint says, for people: inspect, history, diff."""
