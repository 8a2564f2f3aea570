"""From a request to files: outputs, sidecar, resume and series."""
