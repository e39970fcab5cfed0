"""From photographs to Caffe's LMDBs.

readers -> manifest (CSV) -> plan (folds, labels, keys) -> landmarks -> alignment, augmentation ->
LMDBs. Everything after the readers knows only manifests.
"""
