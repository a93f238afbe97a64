"""Model files that people bring: taken in by parts, checked without running them, kept by hash."""
