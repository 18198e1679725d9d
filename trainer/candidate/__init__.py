"""From a compared classifier to the files of a model."""
