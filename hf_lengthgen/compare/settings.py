from ..training.deciding import deciding, difference, digest  # noqa: F401
