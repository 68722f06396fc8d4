"""Feature extractors: images -> features and class posteriors."""
