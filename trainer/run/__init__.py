"""A training run: the job in the parent process, and the work in a child process that imports PyCaret."""
