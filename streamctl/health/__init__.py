"""What is wrong, who is told, and where it can be asked: rules, alerts, HTTP."""
