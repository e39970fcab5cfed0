"""Data sets as manifests: readers, folds, protocols, expressions, statistics."""
