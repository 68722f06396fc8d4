"""The stopwatch: models are handed in, raw rounds come out."""
