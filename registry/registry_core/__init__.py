"""What a model, a commit, a card and a footprint are: pure values and rules.

Nothing in this package touches a framework, the network, a database or a clock; it takes values and gives values, and
is at home in a notebook, a test and a server.
"""
