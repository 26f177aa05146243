"""Training maps of keys and values (`engine.kv_map`): by least squares first, then from what is said with it."""
