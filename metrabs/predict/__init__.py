"""`python -m metrabs.predict`: poses of people in images and videos, with an exported model."""
