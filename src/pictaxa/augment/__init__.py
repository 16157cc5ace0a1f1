"""Views and augmentation: one affine resampling and one colour matrix per picture."""
