"""Training a drafter (`engine.drafts.drafter`): full depth's states are recorded, and it learns what came of each."""
