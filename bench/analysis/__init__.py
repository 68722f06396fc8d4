"""Records -> numbers, for verdict, report and compare alike. Imports no torch."""
