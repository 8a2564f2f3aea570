"""Work side by side: threads, processes and the signals that end them."""
