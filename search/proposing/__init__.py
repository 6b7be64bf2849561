"""From a controller's strategy to a proposal: the contract of controllers, and all that is kept for each of them."""
