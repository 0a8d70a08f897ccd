"""Model folders in diffusers format: where one lies, what it is, whether it can be used. No tensors."""
