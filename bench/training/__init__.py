"""Train one model (train.py), train many (schedule.py)."""
