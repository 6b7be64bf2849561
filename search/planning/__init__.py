"""From budget, data and measured seconds to a plan: what one trial is, how many there are, when the bundle is due."""
