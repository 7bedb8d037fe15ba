"""Questions that a model writes for sections."""
