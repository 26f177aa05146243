"""Training what reads a model at its exits: heads on frozen layers, or the layers with them."""
