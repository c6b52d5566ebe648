"""One pure function a pattern: columns and limits in, alerts out."""
