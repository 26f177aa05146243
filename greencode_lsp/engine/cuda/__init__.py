"""The GPU runner: static K/V, and one CUDA graph for every segment, number of rows and length that comes up.

**The graph path has not run on a GPU yet**: no machine with one was at hand. What runs without: all of it on CPU
tensors with graphs off, and with a stand-in that records a computation's operators once and repeats them on the same
memory, as a graph does (`tests/engine/test_cuda_runner.py`). Speed is unmeasured; `docs/gpu.md` says how to measure it.

How it works:
- K/V of a segment lie in one place for good (`static_kv`): the text that runs lives there, others move in by a copy.
- A run of at most 16 rows is padded to 1, 2, 4, 8 or 16 and attends under a mask to the next power of two of positions,
  so that few captures serve all lengths. They are made when first needed and share one memory pool (`graphs`).
- Where the rows stand goes in, and what the host wants to know comes out, through pinned memory within the graph
  (`exchange`): whether all states are numbers, and the policy network's scores for the last row. The host waits on one
  event per segment and asks the device nothing more. Thresholds are compared on the host: they are the profile's.
- Embedding and head with argmax are captured too. More than 16 rows (prompts) run as the plain runner runs them.
- Where capturing fails, one line is logged and the same computations run as they are.

Left out: conditional graph nodes, which would decide on the device and save the host's wait per exit. PyTorch has no
public way to make them (2.12 and 2.13 have `CUDAGraph.begin_capture_to_if_node` in builds for CUDA, which nothing
documents), and nothing here could test them.
"""

from greencode_lsp.engine.cuda.runner import CudaRunner

__all__ = ["CudaRunner"]
