"""What an ONNX file of ours may hold: `wire` reads its bytes, `schema` lists the fields, `operators` the operators."""
