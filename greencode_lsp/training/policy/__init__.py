"""Training policies on traces: PPO, optimal stopping and a supervised gate, for one form of network."""
