"""(claim, records) -> Verdict: pure functions that know what records hold, not how it was obtained."""
