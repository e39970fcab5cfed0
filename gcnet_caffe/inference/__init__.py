"""A net with its weights, run by PyTorch, real Caffe, ONNX Runtime or OpenCV; where they differ."""
