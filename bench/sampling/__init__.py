"""The only code of the bench that generates: images, texts, semantic features. Models are handed in."""
