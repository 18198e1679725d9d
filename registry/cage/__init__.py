"""The cage: a child process with limits, in which models from elsewhere are audited, loaded and tested."""
