"""A card in the words of others: the head of a README, a BoAmps report, a table."""
