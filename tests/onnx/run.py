"""ONNX models by ONNX Runtime."""

import onnxruntime


def run_onnx(model, inputs):
    """Return {output: array} of a ModelProto on {input: array}."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    given = {wanted.name: inputs[wanted.name] for wanted in session.get_inputs()}
    return dict(zip(names, session.run(names, given)))
