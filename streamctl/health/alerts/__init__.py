"""When somebody is told: rules, when they open and close, silences, delivery."""
