"""What runs a net, a module per engine.

Each has one function, ``open_backend(net, weights, outputs, fast)``, which returns a `Network`: see
`inference.network.open_network`. It imports the libraries that it needs only then.
"""
