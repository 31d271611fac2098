"""One owner of machines a file; a provider is found by its module's name."""
