"""Python imports this as a child of the tests starts, whose PYTHONPATH begins with this folder."""

import no_network

no_network.block()
