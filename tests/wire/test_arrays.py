"""Arrays survive the wire whatever their layout was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as some_numpy
from maquette_wire import arrays
from maquette_wire.errors import UserError
from numpy.typing import NDArray

dtypes = some.sampled_from(arrays.DType.__args__)  # type: ignore[attr-defined]
any_array = some.builds(lambda order, dtype: order + dtype, some.sampled_from("<>"), dtypes).flatmap(
    lambda dtype: some_numpy.arrays(dtype, some_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0))
)


@given(any_array)
def test_an_array_comes_back_the_same(array: NDArray[np.generic]) -> None:
    for view in (array, array.T, np.asfortranarray(array)):
        dtype, shape, data = arrays.to_bytes(view)
        back = arrays.from_bytes(dtype, shape, data)
        np.testing.assert_array_equal(back, view)
        assert len(data) == arrays.byte_count(dtype, shape)
        assert not back.flags.writeable


@given(dtypes, some.lists(some.integers(0, 5), max_size=4).map(tuple), some.binary(max_size=200))
def test_bytes_that_do_not_fit_are_refused(dtype: str, shape: tuple[int, ...], data: bytes) -> None:
    if len(data) == arrays.byte_count(dtype, shape):
        assert arrays.from_bytes(dtype, shape, data).shape == shape
    else:
        with pytest.raises(UserError) as refused:
            arrays.from_bytes(dtype, shape, data)
        assert refused.value.code == "blob.bad"


@pytest.mark.parametrize("dtype", ["c8", "O", "U3", "?", "i1", "u8", "f16", "M8[s]"])
def test_a_dtype_that_the_wire_does_not_know_is_a_mistake_of_ours(dtype: str) -> None:
    with pytest.raises(ValueError, match="no dtype"):
        arrays.to_bytes(np.zeros(2, dtype))


def test_the_byte_order_is_little() -> None:
    assert arrays.to_bytes(np.array([1], ">u2"))[2] == b"\x01\x00"


def test_a_huge_shape_does_not_wrap_around() -> None:
    assert arrays.byte_count("f8", (2**31 - 1,) * 6) == 8 * (2**31 - 1) ** 6
