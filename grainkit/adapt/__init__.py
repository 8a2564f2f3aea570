"""The loop that tries a delivery, measures what its codec leaves, and corrects it."""
