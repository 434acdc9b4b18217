"""The judge: from a student's notebook to a verdict per case, with the reason and what to look at next."""
