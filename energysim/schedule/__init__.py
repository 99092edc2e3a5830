"""How the network is cut: stacks of layers, tiles with halos, what stays on chip. Not how a layer is mapped."""
