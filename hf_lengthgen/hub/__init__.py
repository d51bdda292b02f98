"""The Hub: model cards now; publishing is built on them."""
