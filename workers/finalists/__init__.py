"""After the search: what is trained in full and why, the random arm beside it, the winner as a finished product."""
