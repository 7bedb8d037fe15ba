"""The chat page in a real browser, over real HTTP, against an app with canned answers."""
