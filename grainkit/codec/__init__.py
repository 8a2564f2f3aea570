"""What a platform's codec leaves of a delivery: proxies, measures, prediction, and the loop that adapts to them."""
