"""A campaign as one HTML file that needs nothing else."""
