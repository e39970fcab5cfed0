"""Nets of section IV-E with few channels, which run in a moment."""

import dataclasses

from gcnet_caffe import nets

NZ = 5
NARROW = {"nz": NZ, "ngf": 4, "ndf": 4}


def narrow_nets(variant, **options):
    """Return the texts of the variant's nets: train nets first, deploy nets after them."""
    options = dataclasses.replace(nets.net_defaults(variant), **NARROW, **options)
    return list(nets.net_files(variant, options).values())
