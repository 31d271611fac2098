"""CustomResourceDefinitions: kinds that clients bring along, with structural schemas."""
