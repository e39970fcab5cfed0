"""From a manifest to Caffe's LMDBs: crops, shards, LMDBs; and `gcnet check`."""
