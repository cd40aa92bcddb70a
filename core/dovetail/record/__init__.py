"""What an op is: its record, signature, rules, samples and agreement; and the registry of all of them."""
