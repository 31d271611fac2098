"""An API server that lives in one process: the Kubernetes API as far as nodemend leans on it."""
