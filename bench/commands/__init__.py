"""The commands of `python -m bench`, one file each: its options beside its work."""
