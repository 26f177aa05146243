"""The data sets as examples: a prompt in token ids, and what should come next."""
