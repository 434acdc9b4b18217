"""The service of the shop: orders, workers, events, a page and a shared state, of a student's answers."""
