"""The only code of the bench that touches a model and a device. Models are handed in; raw samples come out."""
