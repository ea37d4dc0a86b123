"""The network: its sizes, its equations, and the module that learns."""
