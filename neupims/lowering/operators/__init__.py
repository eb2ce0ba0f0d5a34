"""Any operator graph on one device: where tensors lie, which unit takes an operator, and its loads and steps."""
