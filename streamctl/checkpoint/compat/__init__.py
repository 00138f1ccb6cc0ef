"""Will a checkpoint accept other code? Rules over what both sides say of themselves."""
