"""The language of rules and policy, and its loader; only the loader reads files."""
