"""Tokenizer, autoencoder and denoisers, trained on the drawn pictures by step counts."""
