"""Programs for those who develop and release the service; the service itself runs without them."""
