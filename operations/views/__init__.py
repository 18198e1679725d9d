"""What is shown: one typed value for each topic, read once and rendered as JSON, HTML, metrics or text.

A `…View` is frozen. Its fields have the descriptions that the API documents. A `…Body` is the JSON of a view whose keys
depend on its state. A reader (`Devices`, `RunReader`, `SystemReader`) does the I/O.
"""
