"""A page for a browser on this machine: a picture in, the expressions of its faces out."""
