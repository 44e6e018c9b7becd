"""Second fields are told by the heads of H.264 slices, and damaged heads do no harm."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.video import fields
from spotter.data.video.fields import FieldPairs
from tests.helpers.recorders import write_fields
from tests.helpers.videos import write_video


class Codec:
    """Stand in for a stream and its codec."""

    def __init__(self, extradata: bytes) -> None:
        self.name, self.extradata, self.codec_context = "h264", extradata, self


def seconds_of(path: Path) -> list[bool]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pairs = FieldPairs(stream)
        return [pairs.is_second(packet) for packet in container.demux(stream) if packet.size]


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_every_second_packet_is_a_second_field(tmp_path: Path, suffix: str) -> None:
    assert seconds_of(write_fields(tmp_path / f"a.{suffix}", 12)) == [False, True] * 12


@pytest.mark.parametrize("options", ["", "interlaced=1", "interlaced=1:cqm=jvt:8x8dct=1", "cqm=jvt:8x8dct=1"])
@pytest.mark.parametrize("suffix", ["ts", "mp4"])
def test_whole_images_have_none(tmp_path: Path, suffix: str, options: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", 12, options={"x264-params": options, "profile": "high"})
    assert seconds_of(path) == [False] * 12


@given(
    st.binary(max_size=80), st.lists(st.binary(max_size=80), max_size=4), st.sampled_from([b"", b"\x01", b"\0\0\1g"])
)
def test_any_bytes_are_read(extradata: bytes, packets: list[bytes], head: bytes) -> None:
    pairs = FieldPairs(Codec(head + extradata))  # type: ignore[arg-type]
    for content in packets:
        packet = av.Packet(b"\0\0\1\x67" + content + b"\0\0\1\x61" + content)
        packet.is_keyframe = True
        assert pairs.is_second(packet) in (True, False)


@given(st.binary(min_size=5, max_size=60))
def test_parameters_of_any_bytes_are_within_bounds(content: bytes) -> None:
    frame_bits, _ = fields._read_parameters(content)
    assert frame_bits is None or 4 <= frame_bits <= 16
