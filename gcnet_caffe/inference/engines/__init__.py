"""What runs a net, a module per engine.

Each has one class, ``Engine``, a `Network`: see `inference.network.open_network`. It imports the
libraries that it needs when it opens a net.
"""
