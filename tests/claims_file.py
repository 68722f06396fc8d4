"""A file of claims as a user writes it: a source and a claim, for tests to change."""

SOURCE = """
[[sources]]
key = "mine"
paper = "Mine"
where = "table 2"
url = "arXiv:2511.00001"
standing = "independent"
"""
CLAIM = """
[[claims]]
id = "mar-l-fid-mine"
model = "mar-l"
metric = "fid"
printed = "1.95"
protocol = "imagenet-256-quality"
source = "mine"
"""
