"""Layer graphs: networks as tensor problems, traced from PyTorch."""
