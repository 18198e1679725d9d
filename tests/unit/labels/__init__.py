"""Labels of periods."""
