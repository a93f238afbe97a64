"""Jobs: long work with progress; the queue of searches and the worker that runs them."""
