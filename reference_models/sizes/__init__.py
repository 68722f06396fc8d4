"""The papers' sizes, one file a family: sampling settings, parameters and scores as printed, released files, each with
its source. Data only: importing them imports no torch. The small sizes: digits.py; all autoencoders: autoencoders.py.
"""
