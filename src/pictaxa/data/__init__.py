"""Reading pictures: readers -> Index -> split -> PixelCache -> batches."""
