"""The same network on torch, ONNX Runtime and OpenVINO."""
