"""What one run measures, by what its protocol collects: model and run in, the fields of its record out.

Each measures on `model` (built by run.py, with its weights) and returns measurements, raw numbers, pictures.
"""
