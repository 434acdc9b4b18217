"""A crash lab for long-lived agents."""
