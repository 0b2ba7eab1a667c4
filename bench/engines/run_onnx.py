#!/usr/bin/env python3
"""Runs an ONNX file with ONNX Runtime whenever it is told to, and says how long that took.

    python3 bench/engines/run_onnx.py NETWORK.onnx IMAGE OUTPUTS THREADS FLUSH_DENORMALS

IMAGE and OUTPUTS are files of raw float32 values; all outputs of the network stand in one file, one after the other. FLUSH_DENORMALS
is 0 or 1. Writes one line, "ready", once the network is loaded, and one line for each line on standard input:

    run   one inference; its seconds, without what happens in this script
    save  writes OUTPUTS; the shapes, as in "1x40x41x41 1x3x41x41"

Ends with its standard input.
"""
import gc
import sys
import time

import numpy as np
import onnxruntime


def make_session(network, threads, flush_denormals):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Idle workers must not take time from what else is measured in turns with this.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.set_denormal_as_zero", flush_denormals)
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def main():
    sys.tracebacklimit = 0  # who starts this shows its last words
    network, image_file, output_file, threads, flush_denormals = sys.argv[1:6]
    onnxruntime.set_default_logger_severity(3)
    session = make_session(network, int(threads), flush_denormals)
    source = session.get_inputs()[0]
    image = np.fromfile(image_file, dtype=np.float32).reshape(source.shape)
    binding = session.io_binding()
    binding.bind_ortvalue_input(source.name, onnxruntime.OrtValue.ortvalue_from_numpy(image))
    for output in session.get_outputs():
        binding.bind_output(output.name, "cpu")
    gc.disable()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "run":
            start = time.perf_counter()
            session.run_with_iobinding(binding)
            print(repr(time.perf_counter() - start), flush=True)
        elif line.strip() == "save":
            outputs = [np.ascontiguousarray(output, dtype=np.float32) for output in binding.copy_outputs_to_cpu()]
            with open(output_file, "wb") as file:
                for output in outputs:
                    output.tofile(file)
            print(" ".join("x".join(str(size) for size in output.shape) for output in outputs), flush=True)
        else:
            sys.exit(f"run_onnx.py: expected run or save, found {line!r}")


if __name__ == "__main__":
    main()
