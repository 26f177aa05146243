"""Weights in 4 or 8 bits: what packing keeps, what it loses, and where it lays what."""

from collections.abc import Callable

import pytest
import torch

from greencode_lsp.engine.grid import as_codes, fitted_codes, from_codes, nearest_codes, on_grid
from greencode_lsp.engine.packed.packing import PackedWeight, pack, pack_coarsely, pack_eight_bits


def on_four_bit_grid(outputs: int, inputs: int) -> torch.Tensor:
    codes = torch.randint(0, 16, (outputs, inputs // 32, 32)).float()
    codes[:, :, 0], codes[:, :, 1] = 0, 15  # as Q4_1 has it: minimum and maximum are met
    scale = torch.rand(outputs, inputs // 32, 1).half().float() * 0.01 + 0.001
    return (codes * scale.half().float() - 0.05).reshape(outputs, inputs)


def test_weights_from_four_bits_are_found_again() -> None:
    weight = on_four_bit_grid(48, 64)
    packed = pack(weight)
    assert packed.bits == 4
    assert packed.byte_count == 48 * 64 * 5 // 8


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0, 300.0])
def test_weights_put_on_their_grid_are_near_and_packed_without_loss(size: float) -> None:
    weight = torch.randn(32, 96) * size + torch.randn(32, 1) * size
    there = on_grid(weight)
    groups = weight.view(32, 3, 32)
    step = (groups.amax(2, keepdim=True) - groups.amin(2, keepdim=True)) / 15
    assert bool(((there.view(32, 3, 32) - groups).abs() <= step * 0.52 + groups.abs() * 2**-10 + 1e-6).all())
    torch.testing.assert_close(on_grid(there), there, rtol=0, atol=0)
    assert pack(there).bits == 4


def test_what_is_kept_as_codes_is_what_lies_on_the_grid() -> None:
    weight = torch.randn(32, 96)
    kept = as_codes(weight, nearest_codes)
    assert sum(tensor.nbytes for tensor in kept.values()) == 32 * 96 * 5 // 8
    assert torch.equal(from_codes(**kept), on_grid(weight))


def test_coarse_weights_kept_as_codes_are_packed_as_they_would_have_been() -> None:
    weight = torch.randn(32, 96)
    expected, found = pack_coarsely(weight), pack_coarsely(from_codes(**as_codes(weight, fitted_codes)))
    assert torch.equal(found.codes, expected.codes)
    assert torch.equal(found.scales, expected.scales)


def test_a_matrix_whose_inputs_are_no_whole_groups_has_no_grid() -> None:
    with pytest.raises(RuntimeError, match="32"):
        on_grid(torch.zeros(4, 40))


def test_other_weights_take_eight_bits_and_lose_little() -> None:
    weight = torch.randn(40, 96)
    packed = pack(weight)
    assert packed.bits == 8
    assert packed.outputs == 48  # padded
    found = packed.rows(torch.arange(40))
    torch.testing.assert_close(found, weight, atol=float(weight.abs().max()) / 200, rtol=0)


def test_zeros_are_packed_as_zeros() -> None:
    assert pack_eight_bits(torch.zeros(16, 32)).rows(torch.tensor([0])).abs().max() == 0


def test_a_coarse_copy_takes_four_bits_whatever_is_lost() -> None:
    packed = pack_coarsely(torch.randn(20, 64))
    assert packed.bits == 4
    assert packed.byte_count == 32 * 64 * 5 // 8


@pytest.mark.parametrize("make", [pack, pack_coarsely, pack_eight_bits])
def test_some_outputs_are_picked_code_for_code(make: Callable[[torch.Tensor], PackedWeight]) -> None:
    weight = torch.randn(100, 64, generator=torch.Generator().manual_seed(3))
    picked = torch.tensor([99, 3, 64, 16, 17, 5, 0, 31, 98, 1, 2, 40, 50, 60, 70, 80, 90, 7])
    one, other = make(weight).select(picked), make(weight[torch.cat((picked, picked[:1].expand(14)))])
    assert one.outputs == 32
    assert torch.equal(one.codes, other.codes)
    assert torch.equal(one.scales, other.scales)
