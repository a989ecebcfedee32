"""Makes the gate of an edge that runs as one object, so that benchmarks measure what really leaves."""

from privcam_edge.edge_pipeline import EdgePipeline
from privcam_edge.embedding.bottleneck_weights import blank_embedding
from privcam_edge.link.gate import Gate


class StreamClock:
    """The time of the frames, ns: budgets and seals do not depend on how fast this machine is."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        """Return the time of the newest frame."""
        return self.now_ns


def pipeline_gate(pipeline: EdgePipeline, camera_id: str) -> Gate:
    """Return the gate for the Ω of a pipeline, with its seal keys, its clock and its encoder."""
    encoder = blank_embedding(pipeline.encoder.weights.sigma)
    return Gate(camera_id, pipeline.seal_keys, encoder, max_rate_hz=240.0, clock=pipeline.seal_clock)
