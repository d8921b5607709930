"""Images between numpy and messages keep every pixel; an encoding that does not fit is an error."""

from __future__ import annotations

import pytest

np = pytest.importorskip("numpy", reason="needs numpy")
pytest.importorskip("sensor_msgs", reason="needs ROS messages")

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image

from dimos_ros import image_array, image_message

PIXELS = {
    "rgb8": np.arange(60, dtype="uint8").reshape(4, 5, 3),
    "mono8": np.arange(20, dtype="uint8").reshape(4, 5),
    "mono16": np.arange(20, dtype=">u2").reshape(4, 5),
    "32FC1": np.linspace(-1, 1, 6, dtype="float32").reshape(3, 2),
    "16SC2": np.arange(-12, 12, dtype="int16").reshape(3, 4, 2),
    "bayer_grbg8": np.arange(4, dtype="uint8").reshape(2, 2),
    "8UC1": np.empty((0, 0), dtype="uint8"),
}


@pytest.mark.parametrize("encoding", PIXELS)
def test_what_arrives_is_what_was_sent(encoding: str) -> None:
    message = image_message(PIXELS[encoding], encoding, stamp=Time(sec=3), frame_id="camera")
    assert (message.header.stamp.sec, message.header.frame_id) == (3, "camera")
    arrived = deserialize_message(serialize_message(message), Image)
    assert np.array_equal(image_array(arrived), PIXELS[encoding])
    assert image_array(arrived).shape == PIXELS[encoding].shape


def test_part_of_an_array_is_sent_as_it_looks() -> None:
    part = np.arange(60, dtype="uint8").reshape(4, 15)[1:, ::2]
    assert np.array_equal(image_array(image_message(part, "mono8")), part)


def test_the_array_is_the_message_without_a_copy() -> None:
    message = image_message(np.zeros((2, 2), dtype="uint8"), "mono8")
    image_array(message)[1, 1] = 7
    assert list(message.data) == [0, 0, 0, 7]


def test_rows_may_be_padded() -> None:
    message = Image(height=2, width=1, encoding="rgb8", step=4, data=[1, 2, 3, 0, 4, 5, 6, 0])
    assert image_array(message).tolist() == [[[1, 2, 3]], [[4, 5, 6]]]


@pytest.mark.parametrize(
    ("shape", "dtype", "encoding", "said"),
    [
        ((2, 2), "uint8", "rgb8", r"rgb8 takes uint8 of shape \(height, width, 3\), not uint8 of shape \(2, 2\)"),
        ((2, 2, 3), "float64", "rgb8", "not float64"),
        ((4,), "uint8", "mono8", r"shape \(4,\)"),
        ((2, 2), "uint8", "jpeg", "unknown image encoding 'jpeg'; ROS has mono8"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(shape: tuple[int, ...], dtype: str, encoding: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        image_message(np.zeros(shape, dtype), encoding)


def test_a_message_with_too_few_bytes_is_refused() -> None:
    message = Image(height=2, width=2, encoding="mono8", step=2, data=[1, 2, 3])
    with pytest.raises(ValueError, match="3 bytes"):
        image_array(message)
