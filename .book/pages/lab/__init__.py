"""What each part of the estimator is worth, by recorded windows; no part of the product."""
