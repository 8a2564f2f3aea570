"""Grain that AV1 carries as metadata: parameters fitted to a recipe's grain, and written into an encoded stream."""
