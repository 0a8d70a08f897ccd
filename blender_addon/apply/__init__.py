"""From results to the scene, one file a kind, one undo step each; the only writers of scene data."""
