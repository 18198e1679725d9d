"""The allow-list for ONNX files: `wire` reads the bytes, `schema` lists the fields, `operators` the operators."""
