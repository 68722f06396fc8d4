"""Mutation testing: `python -m tests.mutants`, or `tox -e mutants`; see __main__.py."""
