from __future__ import annotations

from pictaxa.models.formulas import (
    Layer,
    conv_multiply_adds,
    conv_parameters,
    dense_parameters,
    output_size,
    receptive_field,
    separable_share,
)


def test_output_sizes():
    """LeNet's first convolution, AlexNet's, ResNet's, and the two paddings where they differ."""
    assert output_size(32, kernel=5) == 28
    assert output_size(227, kernel=11, stride=4) == 55
    assert output_size(224, kernel=7, stride=2, padding=3) == 112
    assert output_size(7, kernel=3, stride=2, padding="same") == 4
    assert output_size(7, kernel=3, stride=2, padding="valid") == 3
    assert output_size(8, kernel=3, stride=2, padding=1) == 4


def test_receptive_fields():
    """Three 3x3 see what a 7x7 sees (VGG, section 2.3); a stride multiplies what comes after it."""
    assert receptive_field([Layer(3)] * 3) == receptive_field([Layer(7)]) == 7
    assert receptive_field([Layer(3, 2), Layer(3)]) == 7
    # AlexNet to its last pool: 195 (Araujo et al. 2019, "Computing receptive fields").
    pool = Layer(3, 2)
    assert receptive_field([Layer(11, 4), pool, Layer(5), pool, Layer(3), Layer(3), Layer(3), pool]) == 195


def test_parameters_and_multiply_adds():
    """VGG's argument: three 3x3 of C channels have 27 C^2 weights, a 7x7 has 49 C^2; LeNet's first layer has 156."""
    assert 3 * conv_parameters(64, 64, kernel=3, bias=False) == 27 * 64**2
    assert conv_parameters(64, 64, kernel=7, bias=False) == 49 * 64**2
    assert conv_parameters(1, 6, kernel=5) == 156
    assert conv_parameters(128, 128, kernel=3, bias=False, groups=32) == 128 * 4 * 9
    assert dense_parameters(400, 120) == 48_120
    assert conv_multiply_adds(3, 64, kernel=7, size=112) == 118_013_952


def test_a_separable_convolution_costs_an_eighth():
    """MobileNets, section 3.1: 1 / N + 1 / 9, between a ninth and an eighth for the usual widths."""
    full = conv_multiply_adds(256, 256, kernel=3, size=14)
    parts = conv_multiply_adds(256, 256, kernel=3, size=14, groups=256) + conv_multiply_adds(
        256, 256, kernel=1, size=14
    )
    assert parts / full == separable_share(256)
    assert 1 / 9 < separable_share(256) < 1 / 8
