"""The features by family, one file each: a feature is one value in one of them."""
