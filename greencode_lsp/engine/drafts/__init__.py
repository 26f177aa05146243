"""Drafts of the next tokens, from exits, the text itself and a table, and how many of them pay."""
