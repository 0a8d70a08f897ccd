"""Methods that stand in for real ones: small, quick, and as badly behaved as a test needs."""
