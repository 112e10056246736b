"""A local Azure Resource Manager for scale sets: start it with `python tests/simulator --help`."""
