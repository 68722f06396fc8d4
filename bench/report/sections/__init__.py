"""Sections of the page, one file each: records -> what the template prints."""
