"""The theory as a tool: POLA, LRC, SRC, their discovery from data, and predictions (see docs/theory.md)."""
