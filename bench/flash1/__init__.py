"""An adapter for a public benchmark of matching engines, flash1-dev/matching-engine-benchmark."""
