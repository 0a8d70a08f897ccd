"""From the scene to inputs, one file a kind; the only readers of scene data."""
