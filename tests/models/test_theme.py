from __future__ import annotations

from pictaxa.models.theme import DARK, LIGHT, text_width


def test_longer_and_larger_texts_are_wider():
    """In points, as the font that matplotlib brings is."""
    assert 20 < text_width("conv", 10) < 30
    assert text_width("conv", 20) > 1.9 * text_width("conv", 10) and text_width("conv", 10, bold=True) > 20
    assert text_width("  ", 10) == 0


def test_ink_stands_out_from_every_fill():
    """WCAG's contrast of text, 4.5 and more, on boxes and on paper, light and dark."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for theme in (LIGHT, DARK):
        for fill in (theme.paper, *theme.fills.values()):
            lighter, darker = sorted((luminance(theme.ink), luminance(fill)), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) > 4.5, fill
