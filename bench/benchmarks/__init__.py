"""One benchmark a module, found by the module's name."""
