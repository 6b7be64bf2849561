"""From a controller's idea to a proposal: the contract of controllers and all that is kept for each of them."""
